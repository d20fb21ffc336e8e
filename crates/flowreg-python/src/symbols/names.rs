//! Names of the standard library (Python 3.11), pydantic 2.14 and Prefect 3.8, as sorted tables.

/// Top-level modules of the standard library.
#[rustfmt::skip]
pub(crate) const MODULES: &[&str] = &[
    "abc", "aifc", "antigravity", "argparse", "array", "ast", "asynchat", "asyncio", "asyncore",
    "atexit", "audioop", "base64", "bdb", "binascii", "bisect", "builtins", "bz2", "cProfile",
    "calendar", "cgi", "cgitb", "chunk", "cmath", "cmd", "code", "codecs", "codeop", "collections",
    "colorsys", "compileall", "concurrent", "configparser", "contextlib", "contextvars", "copy",
    "copyreg", "crypt", "csv", "ctypes", "curses", "dataclasses", "datetime", "dbm", "decimal",
    "difflib", "dis", "distutils", "doctest", "email", "encodings", "ensurepip", "enum", "errno",
    "faulthandler", "fcntl", "filecmp", "fileinput", "fnmatch", "fractions", "ftplib", "functools",
    "gc", "genericpath", "getopt", "getpass", "gettext", "glob", "graphlib", "grp", "gzip",
    "hashlib", "heapq", "hmac", "html", "http", "idlelib", "imaplib", "imghdr", "imp", "importlib",
    "inspect", "io", "ipaddress", "itertools", "json", "keyword", "lib2to3", "linecache", "locale",
    "logging", "lzma", "mailbox", "mailcap", "marshal", "math", "mimetypes", "mmap", "modulefinder",
    "msilib", "msvcrt", "multiprocessing", "netrc", "nis", "nntplib", "nt", "ntpath", "nturl2path",
    "numbers", "opcode", "operator", "optparse", "os", "ossaudiodev", "pathlib", "pdb", "pickle",
    "pickletools", "pipes", "pkgutil", "platform", "plistlib", "poplib", "posix", "posixpath",
    "pprint", "profile", "pstats", "pty", "pwd", "py_compile", "pyclbr", "pydoc", "pydoc_data",
    "pyexpat", "queue", "quopri", "random", "re", "readline", "reprlib", "resource", "rlcompleter",
    "runpy", "sched", "secrets", "select", "selectors", "shelve", "shlex", "shutil", "signal",
    "site", "smtpd", "smtplib", "sndhdr", "socket", "socketserver", "spwd", "sqlite3",
    "sre_compile", "sre_constants", "sre_parse", "ssl", "stat", "statistics", "string",
    "stringprep", "struct", "subprocess", "sunau", "symtable", "sys", "sysconfig", "syslog",
    "tabnanny", "tarfile", "telnetlib", "tempfile", "termios", "textwrap", "this", "threading",
    "time", "timeit", "tkinter", "token", "tokenize", "tomllib", "trace", "traceback",
    "tracemalloc", "tty", "turtle", "turtledemo", "types", "typing", "unicodedata", "unittest",
    "urllib", "uu", "uuid", "venv", "warnings", "wave", "weakref", "webbrowser", "winreg",
    "winsound", "wsgiref", "xdrlib", "xml", "xmlrpc", "zipapp", "zipfile", "zipimport", "zlib",
    "zoneinfo",
];

/// Those of them that `prefect deploy` of Prefect 3.8.8 has imported before it loads a flow.
#[rustfmt::skip]
pub(crate) const LOADED: &[&str] = &[
    "abc", "argparse", "array", "ast", "asyncio", "atexit", "base64", "binascii", "bisect",
    "builtins", "bz2", "calendar", "codecs", "collections", "colorsys", "concurrent",
    "configparser", "contextlib", "contextvars", "copy", "copyreg", "csv", "ctypes", "dataclasses",
    "datetime", "decimal", "difflib", "dis", "email", "encodings", "enum", "errno", "fcntl",
    "fnmatch", "fractions", "functools", "gc", "genericpath", "gettext", "glob", "gzip", "hashlib",
    "heapq", "hmac", "html", "http", "importlib", "inspect", "io", "ipaddress", "itertools", "json",
    "keyword", "linecache", "locale", "logging", "lzma", "marshal", "math", "mimetypes", "mmap",
    "multiprocessing", "ntpath", "numbers", "opcode", "operator", "os", "pathlib", "pickle",
    "pkgutil", "platform", "posix", "posixpath", "pprint", "queue", "quopri", "random", "re",
    "reprlib", "resource", "secrets", "select", "selectors", "shlex", "shutil", "signal", "site",
    "socket", "socketserver", "ssl", "stat", "string", "struct", "subprocess", "sys", "sysconfig",
    "tempfile", "textwrap", "threading", "time", "timeit", "token", "tokenize", "tomllib",
    "traceback", "types", "typing", "unicodedata", "unittest", "urllib", "uuid", "warnings",
    "weakref", "wsgiref", "zipfile", "zipimport", "zlib", "zoneinfo",
];

/// Names that every module sees.
#[rustfmt::skip]
pub(crate) const BUILTINS: &[&str] = &[
    "ArithmeticError", "AssertionError", "AttributeError", "BaseException", "BaseExceptionGroup",
    "BlockingIOError", "BrokenPipeError", "BufferError", "BytesWarning", "ChildProcessError",
    "ConnectionAbortedError", "ConnectionError", "ConnectionRefusedError", "ConnectionResetError",
    "DeprecationWarning", "EOFError", "EncodingWarning", "EnvironmentError", "Exception",
    "ExceptionGroup", "FileExistsError", "FileNotFoundError", "FloatingPointError", "FutureWarning",
    "GeneratorExit", "IOError", "ImportError", "ImportWarning", "IndentationError", "IndexError",
    "InterruptedError", "IsADirectoryError", "KeyError", "KeyboardInterrupt", "LookupError",
    "MemoryError", "ModuleNotFoundError", "NameError", "NotADirectoryError", "NotImplementedError",
    "OSError", "OverflowError", "PendingDeprecationWarning", "PermissionError",
    "ProcessLookupError", "RecursionError", "ReferenceError", "ResourceWarning", "RuntimeError",
    "RuntimeWarning", "StopAsyncIteration", "StopIteration", "SyntaxError", "SyntaxWarning",
    "SystemError", "SystemExit", "TabError", "TimeoutError", "TypeError", "UnboundLocalError",
    "UnicodeDecodeError", "UnicodeEncodeError", "UnicodeError", "UnicodeTranslateError",
    "UnicodeWarning", "UserWarning", "ValueError", "Warning", "ZeroDivisionError", "abs", "aiter",
    "all", "anext", "any", "ascii", "bin", "bool", "breakpoint", "bytearray", "bytes", "callable",
    "chr", "classmethod", "compile", "complex", "copyright", "credits", "delattr", "dict", "dir",
    "divmod", "enumerate", "eval", "exec", "exit", "filter", "float", "format", "frozenset",
    "getattr", "globals", "hasattr", "hash", "help", "hex", "id", "input", "int", "isinstance",
    "issubclass", "iter", "len", "license", "list", "locals", "map", "max", "memoryview", "min",
    "next", "object", "oct", "open", "ord", "pow", "print", "property", "quit", "range", "repr",
    "reversed", "round", "set", "setattr", "slice", "sorted", "staticmethod", "str", "sum", "super",
    "tuple", "type", "vars", "zip",
];

/// What `from typing import *` binds.
#[rustfmt::skip]
pub(crate) const TYPING: &[&str] = &[
    "AbstractSet", "Annotated", "Any", "AnyStr", "AsyncContextManager", "AsyncGenerator",
    "AsyncIterable", "AsyncIterator", "Awaitable", "BinaryIO", "ByteString", "Callable", "ChainMap",
    "ClassVar", "Collection", "Concatenate", "Container", "ContextManager", "Coroutine", "Counter",
    "DefaultDict", "Deque", "Dict", "Final", "ForwardRef", "FrozenSet", "Generator", "Generic",
    "Hashable", "IO", "ItemsView", "Iterable", "Iterator", "KeysView", "List", "Literal",
    "LiteralString", "Mapping", "MappingView", "Match", "MutableMapping", "MutableSequence",
    "MutableSet", "NamedTuple", "Never", "NewType", "NoReturn", "NotRequired", "Optional",
    "OrderedDict", "ParamSpec", "ParamSpecArgs", "ParamSpecKwargs", "Pattern", "Protocol",
    "Required", "Reversible", "Self", "Sequence", "Set", "Sized", "SupportsAbs", "SupportsBytes",
    "SupportsComplex", "SupportsFloat", "SupportsIndex", "SupportsInt", "SupportsRound",
    "TYPE_CHECKING", "Text", "TextIO", "Tuple", "Type", "TypeAlias", "TypeGuard", "TypeVar",
    "TypeVarTuple", "TypedDict", "Union", "Unpack", "ValuesView", "assert_never", "assert_type",
    "cast", "clear_overloads", "dataclass_transform", "final", "get_args", "get_origin",
    "get_overloads", "get_type_hints", "is_typeddict", "no_type_check", "no_type_check_decorator",
    "overload", "reveal_type", "runtime_checkable",
];

/// What `from pydantic import *` binds.
#[rustfmt::skip]
pub(crate) const PYDANTIC: &[&str] = &[
    "AfterValidator", "AliasChoices", "AliasGenerator", "AliasPath", "AllowInfNan", "AmqpDsn",
    "AnyHttpUrl", "AnyUrl", "AnyWebsocketUrl", "AwareDatetime", "Base64Bytes", "Base64Encoder",
    "Base64Str", "Base64UrlBytes", "Base64UrlStr", "BaseConfig", "BaseModel", "BeforeValidator",
    "ByteSize", "ClickHouseDsn", "CockroachDsn", "ConfigDict", "DirectoryPath", "Discriminator",
    "EmailStr", "EncodedBytes", "EncodedStr", "EncoderProtocol", "Extra", "FailFast", "Field",
    "FieldSerializationInfo", "FilePath", "FileUrl", "FiniteFloat", "FtpUrl", "FutureDate",
    "FutureDatetime", "GetCoreSchemaHandler", "GetJsonSchemaHandler", "GetPydanticSchema",
    "HttpUrl", "IPvAnyAddress", "IPvAnyInterface", "IPvAnyNetwork", "ImportString", "InstanceOf",
    "Json", "JsonValue", "KafkaDsn", "MISSING", "MariaDBDsn", "ModelWrapValidatorHandler",
    "MongoDsn", "MySQLDsn", "NaiveDatetime", "NameEmail", "NatsDsn", "NegativeFloat", "NegativeInt",
    "NewPath", "NonNegativeFloat", "NonNegativeInt", "NonPositiveFloat", "NonPositiveInt",
    "OnErrorOmit", "PastDate", "PastDatetime", "PaymentCardNumber", "PlainSerializer",
    "PlainValidator", "PositiveFloat", "PositiveInt", "PostgresDsn", "PrivateAttr",
    "PydanticDeprecatedSince20", "PydanticDeprecatedSince210", "PydanticDeprecatedSince211",
    "PydanticDeprecatedSince212", "PydanticDeprecatedSince214", "PydanticDeprecatedSince26",
    "PydanticDeprecatedSince29", "PydanticDeprecationWarning", "PydanticErrorCodes",
    "PydanticExperimentalWarning", "PydanticForbiddenQualifier", "PydanticImportError",
    "PydanticInvalidForJsonSchema", "PydanticSchemaGenerationError", "PydanticUndefinedAnnotation",
    "PydanticUserError", "RedisDsn", "RootModel", "Secret", "SecretBytes", "SecretStr",
    "SerializationInfo", "SerializeAsAny", "SerializerFunctionWrapHandler", "SkipValidation",
    "SnowflakeDsn", "SocketPath", "Strict", "StrictBool", "StrictBytes", "StrictFloat", "StrictInt",
    "StrictStr", "StringConstraints", "Tag", "TypeAdapter", "UUID1", "UUID3", "UUID4", "UUID5",
    "UUID6", "UUID7", "UUID8", "UrlConstraints", "VERSION", "ValidateAs", "ValidationError",
    "ValidationInfo", "ValidatorFunctionWrapHandler", "WebsocketUrl", "WithJsonSchema",
    "WrapSerializer", "WrapValidator", "__version__", "computed_field", "conbytes", "condate",
    "condecimal", "confloat", "confrozenset", "conint", "conlist", "conset", "constr",
    "create_model", "dataclasses", "field_serializer", "field_validator", "model_serializer",
    "model_validator", "parse_obj_as", "root_validator", "schema_json_of", "schema_of",
    "validate_call", "validate_email", "validator", "with_config",
];

/// What `from prefect import *` binds.
#[rustfmt::skip]
pub(crate) const PREFECT: &[&str] = &[
    "Flow", "State", "Task", "Transaction", "__version__", "allow_failure", "apause_flow_run",
    "aresume_flow_run", "aserve", "asuspend_flow_run", "deploy", "flow", "get_client",
    "get_run_logger", "pause_flow_run", "resume_flow_run", "serve", "suspend_flow_run", "tags",
    "task", "unmapped",
];

/// Everything in `datetime` that a name can mean.
#[rustfmt::skip]
pub(crate) const DATETIME: &[&str] = &[
    "MAXYEAR", "MINYEAR", "UTC", "date", "datetime", "datetime_CAPI", "sys", "time", "timedelta",
    "timezone", "tzinfo",
];

/// What `from enum import *` binds.
#[rustfmt::skip]
pub(crate) const ENUM: &[&str] = &[
    "CONFORM", "CONTINUOUS", "EJECT", "Enum", "EnumCheck", "EnumMeta", "EnumType", "Flag",
    "FlagBoundary", "IntEnum", "IntFlag", "KEEP", "NAMED_FLAGS", "ReprEnum", "STRICT", "StrEnum",
    "UNIQUE", "auto", "global_enum", "global_enum_repr", "global_flag_repr", "global_str", "member",
    "nonmember", "pickle_by_enum_name", "pickle_by_global_name", "property", "unique", "verify",
];

/// What `from dataclasses import *` binds.
#[rustfmt::skip]
pub(crate) const DATACLASSES: &[&str] = &[
    "Field", "FrozenInstanceError", "InitVar", "KW_ONLY", "MISSING", "asdict", "astuple",
    "dataclass", "field", "fields", "is_dataclass", "make_dataclass", "replace",
];

/// What `from datetime import *` binds.
#[rustfmt::skip]
pub(crate) const DATETIME_STAR: &[&str] = &[
    "MAXYEAR", "MINYEAR", "UTC", "date", "datetime", "time", "timedelta", "timezone", "tzinfo",
];

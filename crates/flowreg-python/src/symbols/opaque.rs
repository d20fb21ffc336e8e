//! Classes of the standard library that pydantic does not know: as an annotation they are
//! unconstrained (`{}`). Each was tried with Prefect 3.8.8 and pydantic 2.14 on Python 3.11.

/// Module and class names, both sorted.
#[rustfmt::skip]
pub(super) const OPAQUE: &[(&str, &[&str])] = &[
    (
        "abc",
        &[
            "ABC", "ABCMeta", "abstractclassmethod", "abstractproperty", "abstractstaticmethod",
        ],
    ),
    (
        "argparse",
        &[
            "Action", "ArgumentDefaultsHelpFormatter", "ArgumentError", "ArgumentParser",
            "ArgumentTypeError", "BooleanOptionalAction", "FileType", "HelpFormatter",
            "MetavarTypeHelpFormatter", "Namespace", "RawDescriptionHelpFormatter",
            "RawTextHelpFormatter",
        ],
    ),
    (
        "array",
        &[
            "ArrayType", "array",
        ],
    ),
    (
        "asyncio",
        &[
            "AbstractChildWatcher", "AbstractEventLoop", "AbstractEventLoopPolicy",
            "AbstractServer", "Barrier", "BaseEventLoop", "BaseProtocol", "BaseTransport",
            "BoundedSemaphore", "BrokenBarrierError", "BufferedProtocol", "CancelledError",
            "Condition", "DatagramProtocol", "DatagramTransport", "DefaultEventLoopPolicy", "Event",
            "FastChildWatcher", "Future", "Handle", "IncompleteReadError", "InvalidStateError",
            "LifoQueue", "LimitOverrunError", "Lock", "MultiLoopChildWatcher", "PidfdChildWatcher",
            "PriorityQueue", "Protocol", "Queue", "QueueEmpty", "QueueFull", "ReadTransport",
            "Runner", "SafeChildWatcher", "SelectorEventLoop", "Semaphore",
            "SendfileNotAvailableError", "Server", "StreamReader", "StreamReaderProtocol",
            "StreamWriter", "SubprocessProtocol", "SubprocessTransport", "Task", "TaskGroup",
            "ThreadedChildWatcher", "Timeout", "TimerHandle", "Transport", "WriteTransport",
        ],
    ),
    (
        "builtins",
        &[
            "ArithmeticError", "AssertionError", "AttributeError", "BaseException",
            "BaseExceptionGroup", "BlockingIOError", "BrokenPipeError", "BufferError",
            "BytesWarning", "ChildProcessError", "ConnectionAbortedError", "ConnectionError",
            "ConnectionRefusedError", "ConnectionResetError", "DeprecationWarning", "EOFError",
            "EncodingWarning", "EnvironmentError", "Exception", "ExceptionGroup", "FileExistsError",
            "FileNotFoundError", "FloatingPointError", "FutureWarning", "GeneratorExit", "IOError",
            "ImportError", "ImportWarning", "IndentationError", "IndexError", "InterruptedError",
            "IsADirectoryError", "KeyError", "KeyboardInterrupt", "LookupError", "MemoryError",
            "ModuleNotFoundError", "NameError", "NotADirectoryError", "NotImplementedError",
            "OSError", "OverflowError", "PendingDeprecationWarning", "PermissionError",
            "ProcessLookupError", "RecursionError", "ReferenceError", "ResourceWarning",
            "RuntimeError", "RuntimeWarning", "StopAsyncIteration", "StopIteration", "SyntaxError",
            "SyntaxWarning", "SystemError", "SystemExit", "TabError", "TimeoutError", "TypeError",
            "UnboundLocalError", "UnicodeDecodeError", "UnicodeEncodeError", "UnicodeError",
            "UnicodeTranslateError", "UnicodeWarning", "UserWarning", "ValueError", "Warning",
            "ZeroDivisionError", "bytearray", "classmethod", "enumerate", "filter", "map",
            "memoryview", "object", "property", "range", "reversed", "slice", "staticmethod",
            "super", "type", "zip",
        ],
    ),
    (
        "bz2",
        &[
            "BZ2Compressor", "BZ2Decompressor", "BZ2File",
        ],
    ),
    (
        "calendar",
        &[
            "Calendar", "HTMLCalendar", "IllegalMonthError", "IllegalWeekdayError",
            "LocaleHTMLCalendar", "LocaleTextCalendar", "TextCalendar", "different_locale",
            "repeat",
        ],
    ),
    (
        "codecs",
        &[
            "BufferedIncrementalDecoder", "BufferedIncrementalEncoder", "Codec", "CodecInfo",
            "IncrementalDecoder", "IncrementalEncoder", "StreamReader", "StreamReaderWriter",
            "StreamRecoder", "StreamWriter",
        ],
    ),
    (
        "collections",
        &[
            "ChainMap", "UserDict", "UserList", "UserString",
        ],
    ),
    (
        "collections.abc",
        &[
            "AsyncGenerator", "AsyncIterable", "AsyncIterator", "Awaitable", "ByteString",
            "Collection", "Container", "Coroutine", "Hashable", "ItemsView", "Iterator", "KeysView",
            "MappingView", "Reversible", "Sized", "ValuesView",
        ],
    ),
    (
        "concurrent.futures",
        &[
            "BrokenExecutor", "CancelledError", "Executor", "Future", "ProcessPoolExecutor",
            "ThreadPoolExecutor",
        ],
    ),
    (
        "configparser",
        &[
            "BasicInterpolation", "ConfigParser", "ConverterMapping", "DuplicateOptionError",
            "DuplicateSectionError", "Error", "ExtendedInterpolation", "Interpolation",
            "InterpolationDepthError", "InterpolationError", "InterpolationMissingOptionError",
            "InterpolationSyntaxError", "LegacyInterpolation", "MissingSectionHeaderError",
            "NoOptionError", "NoSectionError", "ParsingError", "RawConfigParser",
            "SafeConfigParser", "SectionProxy",
        ],
    ),
    (
        "contextlib",
        &[
            "AbstractAsyncContextManager", "AbstractContextManager", "AsyncContextDecorator",
            "AsyncExitStack", "ContextDecorator", "ExitStack", "GenericAlias", "aclosing", "chdir",
            "closing", "nullcontext", "redirect_stderr", "redirect_stdout", "suppress",
        ],
    ),
    (
        "contextvars",
        &[
            "Context", "ContextVar", "Token",
        ],
    ),
    (
        "copy",
        &[
            "Error", "error",
        ],
    ),
    (
        "csv",
        &[
            "Dialect", "DictReader", "DictWriter", "Error", "Sniffer", "StringIO", "excel",
            "excel_tab", "unix_dialect",
        ],
    ),
    (
        "dataclasses",
        &[
            "Field", "FrozenInstanceError", "GenericAlias",
        ],
    ),
    (
        "datetime",
        &[
            "timezone", "tzinfo",
        ],
    ),
    (
        "decimal",
        &[
            "Clamped", "Context", "ConversionSyntax", "DecimalException", "DivisionByZero",
            "DivisionImpossible", "DivisionUndefined", "FloatOperation", "Inexact",
            "InvalidContext", "InvalidOperation", "Overflow", "Rounded", "Subnormal", "Underflow",
        ],
    ),
    (
        "email.message",
        &[
            "BytesIO", "Charset", "EmailMessage", "MIMEPart", "Message", "Policy", "StringIO",
        ],
    ),
    (
        "enum",
        &[
            "DynamicClassAttribute", "EnumMeta", "EnumType", "auto", "member", "nonmember",
            "property", "verify",
        ],
    ),
    (
        "ftplib",
        &[
            "Error", "FTP", "FTP_TLS", "error_perm", "error_proto", "error_reply", "error_temp",
        ],
    ),
    (
        "functools",
        &[
            "GenericAlias", "RLock", "cached_property", "partial", "partialmethod",
            "singledispatchmethod",
        ],
    ),
    (
        "getpass",
        &[
            "GetPassWarning",
        ],
    ),
    (
        "gzip",
        &[
            "BadGzipFile", "GzipFile",
        ],
    ),
    (
        "hashlib",
        &[
            "blake2b", "blake2s",
        ],
    ),
    (
        "hmac",
        &[
            "HMAC",
        ],
    ),
    (
        "html.parser",
        &[
            "HTMLParser",
        ],
    ),
    (
        "http.client",
        &[
            "BadStatusLine", "CannotSendHeader", "CannotSendRequest", "HTTPConnection",
            "HTTPException", "HTTPMessage", "HTTPResponse", "HTTPSConnection",
            "ImproperConnectionState", "IncompleteRead", "InvalidURL", "LineTooLong",
            "NotConnected", "RemoteDisconnected", "ResponseNotReady", "UnimplementedFileMode",
            "UnknownProtocol", "UnknownTransferEncoding", "error",
        ],
    ),
    (
        "http.cookiejar",
        &[
            "Absent", "Cookie", "CookieJar", "CookiePolicy", "DefaultCookiePolicy", "FileCookieJar",
            "LWPCookieJar", "LoadError", "MozillaCookieJar",
        ],
    ),
    (
        "imaplib",
        &[
            "IMAP4", "IMAP4_SSL", "IMAP4_stream", "timezone",
        ],
    ),
    (
        "inspect",
        &[
            "BlockFinder", "BoundArguments", "ClassFoundException", "EndOfBlock", "Parameter",
            "Signature", "attrgetter",
        ],
    ),
    (
        "io",
        &[
            "BufferedIOBase", "BufferedRWPair", "BufferedRandom", "BufferedReader",
            "BufferedWriter", "BytesIO", "FileIO", "IOBase", "IncrementalNewlineDecoder",
            "RawIOBase", "StringIO", "TextIOBase", "TextIOWrapper", "UnsupportedOperation",
        ],
    ),
    (
        "itertools",
        &[
            "accumulate", "chain", "combinations", "combinations_with_replacement", "compress",
            "count", "cycle", "dropwhile", "filterfalse", "groupby", "islice", "pairwise",
            "permutations", "product", "repeat", "starmap", "takewhile", "zip_longest",
        ],
    ),
    (
        "json",
        &[
            "JSONDecodeError", "JSONDecoder", "JSONEncoder",
        ],
    ),
    (
        "logging",
        &[
            "BufferingFormatter", "FileHandler", "Filter", "Filterer", "Formatter", "GenericAlias",
            "Handler", "LogRecord", "Logger", "LoggerAdapter", "Manager", "NullHandler",
            "PercentStyle", "PlaceHolder", "RootLogger", "StrFormatStyle", "StreamHandler",
            "StringTemplateStyle", "Template",
        ],
    ),
    (
        "logging.handlers",
        &[
            "BaseRotatingHandler", "BufferingHandler", "DatagramHandler", "HTTPHandler",
            "MemoryHandler", "NTEventLogHandler", "QueueHandler", "QueueListener",
            "RotatingFileHandler", "SMTPHandler", "SocketHandler", "SysLogHandler",
            "TimedRotatingFileHandler", "WatchedFileHandler",
        ],
    ),
    (
        "lzma",
        &[
            "LZMACompressor", "LZMADecompressor", "LZMAError", "LZMAFile",
        ],
    ),
    (
        "multiprocessing",
        &[
            "AuthenticationError", "BufferTooShort", "Process", "ProcessError", "TimeoutError",
        ],
    ),
    (
        "numbers",
        &[
            "ABCMeta", "Complex", "Integral", "Number", "Rational", "Real",
        ],
    ),
    (
        "operator",
        &[
            "attrgetter", "itemgetter", "methodcaller",
        ],
    ),
    (
        "os",
        &[
            "DirEntry", "GenericAlias", "sched_param", "stat_result", "statvfs_result",
            "terminal_size", "times_result", "uname_result", "waitid_result",
        ],
    ),
    (
        "pathlib",
        &[
            "attrgetter",
        ],
    ),
    (
        "pprint",
        &[
            "PrettyPrinter",
        ],
    ),
    (
        "queue",
        &[
            "Empty", "Full", "LifoQueue", "PriorityQueue", "Queue", "SimpleQueue",
        ],
    ),
    (
        "random",
        &[
            "Random", "SystemRandom",
        ],
    ),
    (
        "re",
        &[
            "Match", "Scanner", "error",
        ],
    ),
    (
        "sched",
        &[
            "count", "scheduler",
        ],
    ),
    (
        "secrets",
        &[
            "SystemRandom",
        ],
    ),
    (
        "select",
        &[
            "epoll",
        ],
    ),
    (
        "selectors",
        &[
            "ABCMeta", "BaseSelector", "DefaultSelector", "EpollSelector", "PollSelector",
            "SelectSelector",
        ],
    ),
    (
        "shelve",
        &[
            "BsdDbShelf", "BytesIO", "DbfilenameShelf", "Pickler", "Shelf", "Unpickler",
        ],
    ),
    (
        "shutil",
        &[
            "Error", "ExecError", "ReadError", "RegistryError", "SameFileError", "SpecialFileError",
        ],
    ),
    (
        "signal",
        &[
            "ItimerError", "struct_siginfo",
        ],
    ),
    (
        "smtplib",
        &[
            "LMTP", "SMTP", "SMTPAuthenticationError", "SMTPConnectError", "SMTPDataError",
            "SMTPException", "SMTPHeloError", "SMTPNotSupportedError", "SMTPRecipientsRefused",
            "SMTPResponseException", "SMTPSenderRefused", "SMTPServerDisconnected", "SMTP_SSL",
        ],
    ),
    (
        "socket",
        &[
            "SocketIO", "SocketType", "gaierror", "herror", "socket",
        ],
    ),
    (
        "sqlite3",
        &[
            "Blob", "Connection", "Cursor", "DataError", "DatabaseError", "Error", "IntegrityError",
            "InterfaceError", "InternalError", "NotSupportedError", "OperationalError",
            "PrepareProtocol", "ProgrammingError", "Row", "Warning",
        ],
    ),
    (
        "ssl",
        &[
            "CertificateError", "MemoryBIO", "SSLCertVerificationError", "SSLContext",
            "SSLEOFError", "SSLError", "SSLObject", "SSLSession", "SSLSocket", "SSLSyscallError",
            "SSLWantReadError", "SSLWantWriteError", "SSLZeroReturnError", "socket",
        ],
    ),
    (
        "statistics",
        &[
            "NormalDist", "StatisticsError", "groupby", "repeat",
        ],
    ),
    (
        "string",
        &[
            "Formatter", "Template",
        ],
    ),
    (
        "struct",
        &[
            "Struct", "error",
        ],
    ),
    (
        "subprocess",
        &[
            "CalledProcessError", "CompletedProcess", "Popen", "SubprocessError", "TimeoutExpired",
        ],
    ),
    (
        "tarfile",
        &[
            "AbsoluteLinkError", "AbsolutePathError", "CompressionError", "EOFHeaderError",
            "EmptyHeaderError", "ExFileObject", "ExtractError", "FilterError", "HeaderError",
            "InvalidHeaderError", "LinkOutsideDestinationError", "OutsideDestinationError",
            "ReadError", "SpecialFileError", "StreamError", "SubsequentHeaderError", "TarError",
            "TarFile", "TarInfo", "TruncatedHeaderError",
        ],
    ),
    (
        "tempfile",
        &[
            "SpooledTemporaryFile", "TemporaryDirectory",
        ],
    ),
    (
        "textwrap",
        &[
            "TextWrapper",
        ],
    ),
    (
        "threading",
        &[
            "Barrier", "BoundedSemaphore", "BrokenBarrierError", "Condition", "Event",
            "ExceptHookArgs", "Semaphore", "Thread", "Timer", "WeakSet", "local",
        ],
    ),
    (
        "time",
        &[
            "struct_time",
        ],
    ),
    (
        "traceback",
        &[
            "FrameSummary", "StackSummary", "TracebackException", "suppress",
        ],
    ),
    (
        "types",
        &[
            "DynamicClassAttribute", "GenericAlias", "SimpleNamespace", "UnionType",
        ],
    ),
    (
        "typing",
        &[
            "ABCMeta", "Annotated", "Any", "BinaryIO", "ForwardRef", "Generic", "GenericAlias",
            "IO", "NamedTupleMeta", "NewType", "ParamSpec", "ParamSpecArgs", "ParamSpecKwargs",
            "SupportsAbs", "SupportsBytes", "SupportsComplex", "SupportsFloat", "SupportsIndex",
            "SupportsInt", "SupportsRound", "TextIO", "TypeVar", "TypeVarTuple", "io", "re",
        ],
    ),
    (
        "unittest",
        &[
            "BaseTestSuite", "FunctionTestCase", "IsolatedAsyncioTestCase", "SkipTest", "TestCase",
            "TestLoader", "TestProgram", "TestResult", "TestSuite", "TextTestResult",
            "TextTestRunner", "main",
        ],
    ),
    (
        "unittest.mock",
        &[
            "AsyncMagicMixin", "AsyncMock", "AsyncMockMixin", "Base", "CallableMixin",
            "InvalidSpecError", "MagicMixin", "MagicMock", "MagicProxy", "Mock",
            "NonCallableMagicMock", "NonCallableMock", "PropertyMock", "partial",
        ],
    ),
    (
        "urllib.parse",
        &[
            "ResultBase",
        ],
    ),
    (
        "urllib.request",
        &[
            "AbstractBasicAuthHandler", "AbstractDigestAuthHandler", "AbstractHTTPHandler",
            "BaseHandler", "CacheFTPHandler", "ContentTooShortError", "DataHandler", "FTPHandler",
            "FancyURLopener", "FileHandler", "HTTPBasicAuthHandler", "HTTPCookieProcessor",
            "HTTPDefaultErrorHandler", "HTTPDigestAuthHandler", "HTTPError", "HTTPErrorProcessor",
            "HTTPHandler", "HTTPPasswordMgr", "HTTPPasswordMgrWithDefaultRealm",
            "HTTPPasswordMgrWithPriorAuth", "HTTPRedirectHandler", "HTTPSHandler", "OpenerDirector",
            "ProxyBasicAuthHandler", "ProxyDigestAuthHandler", "ProxyHandler", "Request",
            "URLError", "URLopener", "UnknownHandler", "addclosehook", "addinfourl", "ftpwrapper",
        ],
    ),
    (
        "weakref",
        &[
            "CallableProxyType", "KeyedRef", "ProxyType", "ReferenceType", "WeakKeyDictionary",
            "WeakMethod", "WeakSet", "WeakValueDictionary", "finalize", "ref",
        ],
    ),
    (
        "xml.dom.minidom",
        &[
            "Attr", "AttributeList", "CDATASection", "CharacterData", "Childless", "Comment",
            "DOMImplementation", "DOMImplementationLS", "Document", "DocumentFragment",
            "DocumentLS", "DocumentType", "Element", "ElementInfo", "EmptyNodeList", "Entity",
            "Identified", "NamedNodeMap", "Node", "NodeList", "Notation", "ProcessingInstruction",
            "ReadOnlySequentialNamedNodeMap", "Text", "TypeInfo",
        ],
    ),
    (
        "xml.etree.ElementTree",
        &[
            "C14NWriterTarget", "Element", "ElementTree", "ParseError", "QName", "TreeBuilder",
            "XMLParser", "XMLPullParser",
        ],
    ),
    (
        "zipfile",
        &[
            "BadZipFile", "BadZipfile", "CompleteDirs", "FastLookup", "LZMACompressor",
            "LZMADecompressor", "LargeZipFile", "Path", "PyZipFile", "ZipExtFile", "ZipFile",
            "ZipInfo", "error",
        ],
    ),
    (
        "zlib",
        &[
            "error",
        ],
    ),
];

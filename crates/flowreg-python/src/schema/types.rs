//! What each annotation becomes (docs/facts/python.md, "Types").

use std::borrow::Cow;

use serde_json::{Value as Json, json};

use super::{
    Generator, NoSchema, Schema, SchemaResult, TypeContext, entry, formatted, is_no_type, of_type,
};
use crate::interpreter::operators::has_hash;
use crate::symbols;
use crate::value::{DEEPEST_TYPE, Type, Value, not_read};

/// The class behind a name of `typing`: pydantic treats `typing.List` as `list`.
pub(crate) fn origin_class(path: &str) -> Cow<'_, str> {
    let Some(leaf) = path.strip_prefix("typing.") else { return path.into() };
    let class = match leaf {
        "List" => "builtins.list",
        "Dict" => "builtins.dict",
        "Set" => "builtins.set",
        "FrozenSet" => "builtins.frozenset",
        "Tuple" => "builtins.tuple",
        "Type" => "builtins.type",
        "Text" => "builtins.str",
        "Deque" => "collections.deque",
        "DefaultDict" => "collections.defaultdict",
        "OrderedDict" => "collections.OrderedDict",
        "Counter" => "collections.Counter",
        "ChainMap" => "collections.ChainMap",
        "AbstractSet" => "collections.abc.Set",
        "Pattern" => "re.Pattern",
        "Sequence" | "MutableSequence" | "Iterable" | "Generator" | "Mapping"
        | "MutableMapping" | "MutableSet" | "Callable" | "Iterator" | "Collection"
        | "Container" | "Awaitable" | "Coroutine" | "AsyncIterator" | "AsyncIterable"
        | "AsyncGenerator" | "Hashable" | "Sized" | "Reversible" | "KeysView" | "ValuesView"
        | "ItemsView" | "MappingView" | "ByteString" => {
            return format!("collections.abc.{leaf}").into();
        }
        _ => return path.into(),
    };
    class.into()
}

impl<'a> Generator<'_, 'a> {
    /// The schema of a type.
    pub(crate) fn schema(
        &mut self,
        value: &Value<'a>,
        context: TypeContext<'_, 'a>,
    ) -> SchemaResult<Schema> {
        self.spend(context.depth)?;
        match value {
            Value::None => Ok(of_type("null")),
            Value::Unknown(unknown) => Err(NoSchema::Unknown(unknown.clone())),
            Value::External(path) => self.unknown(not_read(path)),
            Value::Str(_) => self.forward(value, context),
            Value::Symbol(path) => self.symbol(path, None, context),
            Value::Class(class) => self.class(class, context),
            Value::Type(expression) => self.expression(value, expression, context),
            Value::Dict(_) => {
                let message = "a dictionary is no annotation that pydantic can read".to_owned();
                Err(NoSchema::Raises("KeyError", message))
            }
            Value::Function(_) => self.unknown("a function stands where a type is expected"),
            other if is_no_type(other) => {
                self.arbitrary_type("a value", context)?;
                // At the top of a signature pydantic refuses it and Prefect leaves the parameter
                // unconstrained. Inside another type it depends on that type.
                if context.class.is_some() || context.depth > 1 {
                    return self.unknown("a value stands where a type is expected");
                }
                Err(NoSchema::Unconstrained)
            }
            _ => self.unknown("an annotation that is not evaluated here"),
        }
    }

    fn expression(
        &mut self,
        value: &Value<'a>,
        expression: &Type<'a>,
        context: TypeContext<'_, 'a>,
    ) -> SchemaResult<Schema> {
        match expression {
            Type::Forward(_) => self.forward(value, context),
            Type::Union(choices) => self.union(choices, context),
            Type::Literal(values) => self.literal(values),
            Type::Annotated(base, metadata) => self.annotated(base, metadata, context),
            Type::Named(base) => self.schema(base, context.deeper()),
            Type::Variable { bound: Some(bound), .. } => self.schema(bound, context.deeper()),
            Type::Variable { constraints, .. } if constraints.is_empty() => Ok(Schema::new()),
            Type::Variable { constraints, .. } => {
                // `TypeVar("T", int, int)`: whether pydantic makes a union of one type was not
                // checked.
                let flat = super::unions::flatten(constraints);
                let is_one = flat.first().is_some_and(|first| {
                    flat.iter().all(|other| super::unions::is_same_type(first, other))
                });
                if is_one {
                    return self.unknown("the constraints of a type variable are one type");
                }
                // pydantic makes a union of them.
                if !constraints.iter().all(|choice| has_hash(choice, 0) == Some(true)) {
                    return self.unknown("a constraint of a type variable may have no hash");
                }
                self.union(constraints, context)
            }
            Type::Alias { name, module, value: aliased } => {
                self.alias(value, name, &format!("{module}.{name}"), aliased, context)
            }
            Type::Generic(Value::Symbol(path), arguments) => {
                self.symbol(path, Some(arguments), context)
            }
            Type::Generic(Value::Class(class), arguments) => {
                self.generic_class(class, arguments, context)
            }
            Type::Generic(origin, _) => match origin.find_unknown(self.interpreter.here()) {
                Some(unknown) => Err(NoSchema::Unknown(unknown)),
                None => self.unknown("a generic type that is not known"),
            },
        }
    }

    fn forward(&mut self, value: &Value<'a>, context: TypeContext<'_, 'a>) -> SchemaResult<Schema> {
        // Strings in a parameter's type were resolved before (`resolve::forward`), but not those
        // behind a `NewType`.
        let Some(class) = context.class else {
            return self.unknown("a quoted type inside a named one");
        };
        let resolved = super::resolve::inner(self.interpreter, value.clone(), class);
        if matches!(&resolved, Value::Type(expression) if matches!(**expression, Type::Forward(_)))
        {
            return self.unknown("a forward reference that does not resolve");
        }
        self.schema(&resolved, context.deeper())
    }

    /// A symbol, with its type arguments if it has any.
    fn symbol(
        &mut self,
        path: &str,
        arguments: Option<&Vec<Value<'a>>>,
        context: TypeContext<'_, 'a>,
    ) -> SchemaResult<Schema> {
        // Types of pydantic's submodules were made canonical before; what still has a dot
        // (`pydantic.v1.…`) is not in the tables.
        if let Some(leaf) = path.strip_prefix("pydantic.")
            && !leaf.contains('.')
        {
            return self.pydantic(leaf, arguments, context);
        }
        let class = origin_class(path);
        // A special form that pydantic does not know, though it means `str` to type checkers.
        if path == "typing.LiteralString" {
            return self.arbitrary_type(path, context);
        }
        let is_text =
            |item: &Value<'a>| item.is_symbol("builtins.str") || item.is_symbol("builtins.bytes");
        if *class == *"re.Pattern" && arguments.is_some_and(|items| !items.iter().all(is_text)) {
            return self.unknown("a pattern of something that is no text");
        }
        // `Final[int]` means `int`, `Final` alone anything.
        if let (Some(simple), false) =
            (simple(&class), path == "typing.Final" && arguments.is_some())
        {
            return Ok(simple);
        }
        let arguments = arguments.map_or(&[][..], Vec::as_slice);
        match &*class {
            "builtins.list"
            | "collections.deque"
            | "collections.abc.Sequence"
            | "collections.abc.MutableSequence"
            | "collections.abc.Iterable"
            | "collections.abc.Generator" => self.array(arguments, context),
            "builtins.set"
            | "builtins.frozenset"
            | "collections.abc.Set"
            | "collections.abc.MutableSet" => {
                let mut schema = self.array(arguments, context)?;
                schema.insert("uniqueItems".to_owned(), true.into());
                Ok(schema)
            }
            "typing.NamedTuple" | "typing.Generic" | "typing.TypeVar" | "typing.Optional"
            | "typing.Union"
                if context.class.is_some() =>
            {
                self.unknown(format!("`{path}` is no type of a field"))
            }
            // `tuple[..., int]`: Python lets it pass, and what pydantic makes of it was not
            // checked.
            "builtins.tuple" if is_odd_tuple(arguments) => {
                self.unknown("a tuple with `...` in the wrong place")
            }
            "builtins.tuple" => self.tuple(arguments, context),
            "builtins.dict"
            | "collections.OrderedDict"
            | "collections.defaultdict"
            | "collections.abc.Mapping"
            | "collections.abc.MutableMapping" => match arguments {
                [] if *class == *"collections.defaultdict" => {
                    let message = "a bare `defaultdict` has no schema".to_owned();
                    Err(NoSchema::Raises("PydanticSchemaGenerationError", message))
                }
                [] => Ok(object()),
                [key, value] => self.dictionary(key, value, context),
                _ => self.unknown(format!("`{path}` with other than two types")),
            },
            // `Counter[K]` counts keys, so its values are whole numbers.
            "collections.Counter" => {
                let any = Value::symbol("typing.Any");
                let key = arguments.first().unwrap_or(&any);
                self.dictionary(key, &Value::symbol("builtins.int"), context)
            }
            "collections.abc.Callable" | "builtins.callable" | "typing.NamedTuple" => {
                Err(NoSchema::Callable)
            }
            "typing.Optional" | "typing.Union" | "typing.NoReturn" | "typing.Never" => {
                self.arbitrary_type(path, context)
            }
            "typing.Final" => match arguments {
                [only] => self.schema(only, context.deeper()),
                _ => self.unknown("`Final` with other than one type"),
            },
            "typing.AnyStr" => self
                .union(&[Value::symbol("builtins.bytes"), Value::symbol("builtins.str")], context),
            "typing.ClassVar" => {
                self.unknown("a class variable is no parameter or field".to_owned())
            }
            "typing.Required" | "typing.NotRequired" | "typing.ReadOnly" => Err(NoSchema::Raises(
                "PydanticForbiddenQualifier",
                format!("`{path}` can't stand here"),
            )),
            "typing.Self" => self.unknown("`Self` outside a method's own annotations"),
            // pydantic has a schema of its own for it: any value.
            "collections.abc.Hashable" => Ok(Schema::new()),
            _ if is_unconstrained(&class) => self.arbitrary_type(path, context),
            _ => self.unknown(format!("the schema of `{path}` is not in the tables")),
        }
    }

    fn array(
        &mut self,
        arguments: &[Value<'a>],
        context: TypeContext<'_, 'a>,
    ) -> SchemaResult<Schema> {
        let items = match arguments.first() {
            Some(item) => self.schema(item, context.deeper())?,
            None => Schema::new(),
        };
        let mut schema = of_type("array");
        schema.insert("items".to_owned(), Json::Object(items));
        Ok(schema)
    }

    fn tuple(
        &mut self,
        arguments: &[Value<'a>],
        context: TypeContext<'_, 'a>,
    ) -> SchemaResult<Schema> {
        let items = match arguments {
            [] => return self.array(&[], context),
            [item, Value::Ellipsis] => return self.array(std::slice::from_ref(item), context),
            [Value::Tuple(nothing)] if nothing.is_empty() => &[],
            items if items.iter().any(|item| matches!(item, Value::Ellipsis)) => {
                return self.unknown("a tuple with `...` among its items");
            }
            items => items,
        };
        let mut schema = of_type("array");
        if !items.is_empty() {
            let mut prefix = Vec::new();
            for item in items {
                prefix.push(Json::Object(self.schema(item, context.deeper())?));
            }
            schema.insert("prefixItems".to_owned(), prefix.into());
        }
        schema.insert("minItems".to_owned(), items.len().into());
        schema.insert("maxItems".to_owned(), items.len().into());
        Ok(schema)
    }

    fn dictionary(
        &mut self,
        key: &Value<'a>,
        value: &Value<'a>,
        context: TypeContext<'_, 'a>,
    ) -> SchemaResult<Schema> {
        let mut keys = self.schema(key, context.deeper())?;
        let mut values = self.schema(value, context.deeper())?;
        // pydantic drops the titles of keys and values of a dictionary.
        values.shift_remove("title");
        let is_shared = keys.contains_key("$ref");
        let mut pattern = None;
        if !is_shared {
            pattern = keys.shift_remove("pattern");
            keys.shift_remove("title");
        }
        let mut schema = of_type("object");
        if let Some(pattern) = pattern.as_ref().and_then(Json::as_str) {
            schema.insert("patternProperties".to_owned(), entry(pattern, values).into());
        } else {
            let values = if values.is_empty() { Json::Bool(true) } else { Json::Object(values) };
            schema.insert("additionalProperties".to_owned(), values);
        }
        // `propertyNames` is shown only where the key says more than that it is a string: every
        // key of a JSON object is one.
        let is_text = keys.get("type").and_then(Json::as_str) == Some("string");
        if (is_text && keys.len() > 1) || is_shared {
            keys.shift_remove("type");
            schema.insert("propertyNames".to_owned(), keys.into());
        }
        Ok(schema)
    }

    fn literal(&mut self, values: &[Value<'a>]) -> SchemaResult<Schema> {
        let mut encoded = Vec::new();
        for value in values {
            let value = match value {
                Value::Member(member) => &member.value,
                other => other,
            };
            encoded.push(self.encoded(value)?);
        }
        let kind = common_kind(&encoded);
        let mut schema = match <[Json; 1]>::try_from(encoded) {
            Ok([only]) => entry("const", only),
            Err(many) => entry("enum", many),
        };
        if let Some(kind) = kind {
            schema.insert("type".to_owned(), kind.into());
        }
        Ok(schema)
    }

    fn alias(
        &mut self,
        value: &Value<'a>,
        name: &str,
        full: &str,
        aliased: &Value<'a>,
        context: TypeContext<'_, 'a>,
    ) -> SchemaResult<Schema> {
        let (reference, is_new) = self.definitions.reference(value, &[], name, full);
        if is_new {
            if has_forward(aliased, 0) {
                return self.unknown(format!("`{name}` is an alias with a quoted type"));
            }
            let schema = self.schema(aliased, context.deeper())?;
            // pydantic merges a definition that is only a reference; under which name is not
            // computed.
            if schema.contains_key("$ref") {
                return self.unknown(format!("`{name}` is an alias of a class"));
            }
            self.definitions.define(reference, schema);
        }
        Ok(Definitions::link(reference))
    }

    fn pydantic(
        &mut self,
        leaf: &str,
        arguments: Option<&Vec<Value<'a>>>,
        context: TypeContext<'_, 'a>,
    ) -> SchemaResult<Schema> {
        if let (Some([argument, ..]), "Json" | "SkipValidation") =
            (arguments.map(Vec::as_slice), leaf)
        {
            if is_no_type(argument) && !matches!(argument, Value::None) {
                return self.unknown(format!("`{leaf}` of something that is no type"));
            }
            let inner = self.schema(argument, context.deeper())?;
            if leaf == "SkipValidation" {
                return Ok(inner);
            }
            let mut schema = of_type("string");
            schema.insert("contentMediaType".to_owned(), "application/json".into());
            schema.insert("contentSchema".to_owned(), inner.into());
            return Ok(schema);
        }
        match leaf {
            "BaseModel" | "JsonValue" => {
                // The long name counts only where a class of the file has the same short one.
                let full = if leaf == "BaseModel" { "pydantic.main.BaseModel" } else { leaf };
                let symbol = Value::symbol(full);
                let (reference, is_new) = self.definitions.reference(&symbol, &[], leaf, full);
                if is_new {
                    let schema = match leaf {
                        "JsonValue" => Schema::new(),
                        _ => to_schema(
                            json!({"properties": {}, "title": "BaseModel", "type": "object"}),
                        ),
                    };
                    self.definitions.define(reference, schema);
                }
                Ok(Definitions::link(reference))
            }
            // Without that package the import of the file fails.
            "EmailStr" => self.unknown("`EmailStr` depends on whether email-validator is there"),
            _ => match pydantic_type(leaf) {
                Some(schema) => Ok(to_schema(schema)),
                None => {
                    self.unknown(format!("the schema of `pydantic.{leaf}` is not in the tables"))
                }
            },
        }
    }
}

use super::definitions::Definitions;

/// Whether a type has a quoted part.
fn has_forward(value: &Value<'_>, depth: u32) -> bool {
    let any = |parts: &[Value<'_>]| parts.iter().any(|part| has_forward(part, depth + 1));
    match value {
        Value::Str(_) => true,
        Value::Type(expression) if depth < DEEPEST_TYPE => match &**expression {
            Type::Forward(_) => true,
            Type::Generic(_, parts) | Type::Union(parts) => any(parts),
            Type::Annotated(base, _) => has_forward(base, depth + 1),
            _ => false,
        },
        _ => false,
    }
}

fn to_schema(value: Json) -> Schema {
    match value {
        Json::Object(schema) => schema,
        _ => Schema::new(),
    }
}

fn object() -> Schema {
    let mut schema = of_type("object");
    schema.insert("additionalProperties".to_owned(), true.into());
    schema
}

/// Types without parts.
fn simple(path: &str) -> Option<Schema> {
    Some(match path {
        "builtins.int" => of_type("integer"),
        "builtins.str" | "builtins.complex" => of_type("string"),
        "builtins.float" => of_type("number"),
        "builtins.bool" => of_type("boolean"),
        "builtins.bytes" => formatted("binary"),
        "builtins.object" | "builtins.type" | "typing.Any" | "typing.Final" => Schema::new(),
        "datetime.datetime" => formatted("date-time"),
        "datetime.date" => formatted("date"),
        "datetime.time" => formatted("time"),
        "datetime.timedelta" => formatted("duration"),
        "uuid.UUID" => formatted("uuid"),
        "re.Pattern" => formatted("regex"),
        "zoneinfo.ZoneInfo" => formatted("zoneinfo"),
        "ipaddress.IPv4Address" => formatted("ipv4"),
        "ipaddress.IPv6Address" => formatted("ipv6"),
        "ipaddress.IPv4Network" => formatted("ipv4network"),
        "ipaddress.IPv6Network" => formatted("ipv6network"),
        "ipaddress.IPv4Interface" => formatted("ipv4interface"),
        "ipaddress.IPv6Interface" => formatted("ipv6interface"),
        "pathlib.Path"
        | "pathlib.PurePath"
        | "pathlib.PosixPath"
        | "pathlib.PurePosixPath"
        | "pathlib.WindowsPath"
        | "pathlib.PureWindowsPath"
        | "os.PathLike" => formatted("path"),
        "decimal.Decimal" => to_schema(json!({"anyOf": [{"type": "number"}, {"type": "string"}]})),
        "fractions.Fraction" => to_schema(
            json!({"anyOf": [{"type": "number"}, {"type": "string", "format": "fraction"}]}),
        ),
        _ => return None,
    })
}

/// Whether a tuple has `...` elsewhere than behind its only item.
fn is_odd_tuple(arguments: &[Value<'_>]) -> bool {
    let dots = arguments.iter().filter(|item| matches!(item, Value::Ellipsis)).count();
    dots > 0 && !matches!(arguments, [item, Value::Ellipsis] if !matches!(item, Value::Ellipsis))
}

fn is_unconstrained(path: &str) -> bool {
    let is_collection = matches!(
        path.strip_prefix("collections.abc."),
        Some(
            "Iterator"
                | "Collection"
                | "Container"
                | "Awaitable"
                | "Coroutine"
                | "AsyncIterator"
                | "AsyncIterable"
                | "AsyncGenerator"
                | "Hashable"
                | "Sized"
        )
    );
    is_collection
        || symbols::is_opaque_class(path)
        || matches!(
            path,
            "builtins.bytearray"
                | "collections.ChainMap"
                | "typing.SupportsInt"
                | "typing.IO"
                | "typing.TextIO"
                | "typing.BinaryIO"
                | "typing.ForwardRef"
        )
}

/// Pydantic's own types.
fn pydantic_type(leaf: &str) -> Option<Json> {
    Some(match leaf {
        "PositiveInt" => json!({"type": "integer", "exclusiveMinimum": 0}),
        "NegativeInt" => json!({"type": "integer", "exclusiveMaximum": 0}),
        "NonNegativeInt" => json!({"type": "integer", "minimum": 0}),
        "NonPositiveInt" => json!({"type": "integer", "maximum": 0}),
        "PositiveFloat" => json!({"type": "number", "exclusiveMinimum": 0}),
        "NegativeFloat" => json!({"type": "number", "exclusiveMaximum": 0}),
        "NonNegativeFloat" => json!({"type": "number", "minimum": 0}),
        "NonPositiveFloat" => json!({"type": "number", "maximum": 0}),
        "StrictInt" => json!({"type": "integer"}),
        "StrictStr" | "ImportString" => json!({"type": "string"}),
        "StrictBool" => json!({"type": "boolean"}),
        "StrictFloat" | "FiniteFloat" => json!({"type": "number"}),
        "StrictBytes" => json!({"type": "string", "format": "binary"}),
        "SecretStr" | "SecretBytes" => {
            json!({"type": "string", "format": "password", "writeOnly": true})
        }
        "HttpUrl" => {
            json!({"type": "string", "format": "uri", "minLength": 1, "maxLength": 2083})
        }
        "AnyUrl" | "AnyHttpUrl" | "FileUrl" => {
            json!({"type": "string", "format": "uri", "minLength": 1})
        }
        "FilePath" => json!({"type": "string", "format": "file-path"}),
        "DirectoryPath" => json!({"type": "string", "format": "directory-path"}),
        "NewPath" => json!({"type": "string", "format": "path"}),
        "UUID1" | "UUID3" | "UUID4" | "UUID5" => {
            json!({"type": "string", "format": leaf.to_lowercase()})
        }
        "AwareDatetime" | "NaiveDatetime" | "PastDatetime" | "FutureDatetime" => {
            json!({"type": "string", "format": "date-time"})
        }
        "PastDate" | "FutureDate" => json!({"type": "string", "format": "date"}),
        "Json" => json!({
            "type": "string", "contentMediaType": "application/json", "contentSchema": {}
        }),
        "ByteSize" => json!({"anyOf": [
            {"type": "string", "pattern": "^\\s*(\\d*\\.?\\d+)\\s*(\\w+)?"},
            {"type": "integer", "minimum": 0}
        ]}),
        "Base64Bytes" | "Base64Str" => json!({"type": "string", "format": "base64"}),
        _ => return None,
    })
}

/// The JSON type that all values have.
pub(crate) fn common_kind(values: &[Json]) -> Option<&'static str> {
    let kind = |value: &Json| match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        // `1.0` is a number, `1` an integer.
        Json::Number(number) if number.to_string().contains(['.', 'e']) => "number",
        Json::Number(_) => "integer",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    };
    let first = kind(values.first()?);
    values.iter().all(|value| kind(value) == first).then_some(first)
}

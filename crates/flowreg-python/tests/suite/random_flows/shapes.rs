//! Declarations and definitions of rarer shapes: classes that mean themselves, unions told apart
//! by a field, generics of several kinds; flows that a function, a condition or a class makes.

use super::scope::Scope;
use super::typed::{Kind, Typed};
use super::units::indented;

impl Scope<'_> {
    /// A class or alias that few people write.
    pub(super) fn rare_declaration(&mut self, depth: usize) -> Typed {
        match self.random.below(9) {
            0..2 => self.tree(),
            2..4 => self.told_apart(),
            4 => self.root_model(depth),
            5 => self.functional_tuple(depth),
            6 => self.generic_pair(depth),
            7 => self.generic_dictionary(depth),
            _ => self.made_model(),
        }
    }

    /// A model that has itself inside.
    fn tree(&mut self) -> Typed {
        let name = self.fresh("Tree");
        let (optional, dict) = (self.typing("Optional"), self.typing("Dict"));
        let field = match self.random.below(5) {
            0 => format!("children: list[\"{name}\"] = []"),
            1 => format!("parent: {optional}[\"{name}\"] = None"),
            2 => format!("by_name: {dict}[str, \"{name}\"] = {{}}"),
            3 => format!("parent: \"{name} | None\" = None"),
            _ => format!("pair: \"tuple[{name}, ...]\" = ()"),
        };
        let base = self.random.pick(&["BaseModel", "BaseModel", "TypedDict"]);
        let field = match base {
            "TypedDict" => field.split(" = ").next().unwrap_or_default().to_owned(),
            _ => field,
        };
        self.before.push(format!("class {name}({base}):\n    value: int\n    {field}\n"));
        Typed::new(name, "None", Kind::Other)
    }

    /// A union of models with a discriminator.
    fn told_apart(&mut self) -> Typed {
        let (cat, dog) = (self.fresh("Cat"), self.fresh("Dog"));
        let literal = self.typing("Literal");
        let default = self.random.pick(&["", " = \"cat\""]);
        self.before.push(format!(
            "class {cat}(BaseModel):\n    kind: {literal}[\"cat\", \"lion\"]{default}\n"
        ));
        self.before.push(format!(
            "class {dog}(BaseModel):\n    kind: {literal}[\"dog\"]\n    good: bool = True\n"
        ));
        let union = format!("{}[{cat}, {dog}]", self.typing("Union"));
        let annotated =
            format!("{}[{union}, Field(discriminator=\"kind\")]", self.typing("Annotated"));
        if self.random.chance(50) {
            let name = self.fresh("Alias");
            self.before.push(format!("{name} = {annotated}\n"));
            return Typed::new(format!("list[{name}]"), "[]", Kind::List);
        }
        let owner = self.fresh("Owner");
        let optional = self.typing("Optional");
        let field = self.random.pick(&["pet: {a}", "pets: list[{a}] = []", "pet: {o}[{a}] = None"]);
        let field = field.replace("{a}", &annotated).replace("{o}", &optional);
        self.before.push(format!("class {owner}(BaseModel):\n    {field}\n"));
        Typed::new(owner, "None", Kind::Other)
    }

    fn root_model(&mut self, depth: usize) -> Typed {
        let name = self.fresh("Root");
        let Typed { annotation, .. } = self.typed(depth - 1);
        let body = match self.random.below(3) {
            0 => format!("class {name}(pydantic.RootModel[{annotation}]):\n    pass\n"),
            1 => format!("class {name}(pydantic.RootModel):\n    root: {annotation}\n"),
            _ => format!("{name} = pydantic.RootModel[{annotation}]\n"),
        };
        self.before.push(body);
        Typed::new(name, "None", Kind::Other)
    }

    fn functional_tuple(&mut self, depth: usize) -> Typed {
        let name = self.fresh("Pair");
        let Typed { annotation, value, .. } = self.typed(depth - 1);
        let tuple = self.typing("NamedTuple");
        self.before.push(format!(
            "{name} = {tuple}(\"{name}\", [(\"x\", int), (\"y_z\", {annotation})])\n"
        ));
        Typed::new(name.clone(), format!("{name}(1, {value})"), Kind::Other)
    }

    fn generic_pair(&mut self, depth: usize) -> Typed {
        let name = self.fresh("Both");
        let (one, two) = (self.fresh("K"), self.fresh("V"));
        let (generic, variable) = (self.typing("Generic"), self.typing("TypeVar"));
        for var in [&one, &two] {
            self.before.push(format!("{var} = {variable}(\"{var}\")\n"));
        }
        let base = self.random.pick(&["BaseModel, ", ""]);
        let decorator = if base.is_empty() { "@dataclass\n" } else { "" };
        self.before.push(format!(
            "{decorator}class {name}({base}{generic}[{one}, {two}]):\n    one: {one}\n    two: dict[str, {two}]\n"
        ));
        let Typed { annotation, .. } = self.typed(depth - 1);
        let annotation =
            if annotation.starts_with(['"', '\'']) { "int".to_owned() } else { annotation };
        let annotation = match self.random.below(3) {
            0 => name,
            1 => format!("{name}[int, {annotation}]"),
            _ => format!("{name}[{name}[str, bool], {annotation}]"),
        };
        Typed::new(annotation, "None", Kind::Other)
    }

    fn generic_dictionary(&mut self, depth: usize) -> Typed {
        let (name, var) = (self.fresh("Rows"), self.fresh("V"));
        let (generic, variable) = (self.typing("Generic"), self.typing("TypeVar"));
        self.before.push(format!("{var} = {variable}(\"{var}\")\n"));
        self.before.push(format!(
            "class {name}(TypedDict, {generic}[{var}]):\n    item: {var}\n    more: NotRequired[list[{var}]]\n"
        ));
        let Typed { annotation, .. } = self.typed(depth - 1);
        let annotation =
            if annotation.starts_with(['"', '\'']) { "int".to_owned() } else { annotation };
        Typed::new(format!("{name}[{annotation}]"), "{}", Kind::Other)
    }

    fn made_model(&mut self) -> Typed {
        let name = self.fresh("Made");
        let fields = self.random.pick(&[
            "x=(int, ...)",
            "x=(int, 3), y=(str, Field(description=\"d\"))",
            "__base__=BaseModel, x=int",
        ]);
        self.before.push(format!("{name} = pydantic.create_model(\"{name}\", {fields})\n"));
        Typed::new(name, "None", Kind::Other)
    }

    /// A flow that stands in something else.
    pub(super) fn enclosed(&mut self, name: &str) -> (String, String) {
        let decorator = self.decorator();
        match self.random.below(6) {
            0 => {
                let (outer, inner) = (self.fresh("Jobs"), self.fresh("Inner"));
                let function = self.function(name, &decorator, "", "        ");
                let mangled = if name.starts_with("__") {
                    format!("_{inner}{name}")
                } else {
                    name.to_owned()
                };
                let source = format!("class {outer}:\n    class {inner}:\n{function}");
                (format!("{outer}.{inner}.{mangled}"), source)
            }
            1 => {
                let function = indented(&self.function(name, &decorator, "", ""));
                (name.to_owned(), format!("if not None:\n{function}\nelse:\n    {name} = 3\n"))
            }
            2 => {
                let function = indented(&self.function(name, &decorator, "", ""));
                (name.to_owned(), format!("try:\n{function}\nfinally:\n    pass\n"))
            }
            3 => {
                let (factory, object) = (self.fresh("make_"), self.fresh("made"));
                let flow = self.spelling.flow;
                let source = format!(
                    "def {factory}(table, limit=3):\n    @{flow}(name=f\"load {{table}}\")\n    def \
                     load(size: int = limit, where: str = table):\n        \"\"\"Loads.\"\"\"\n    \
                     return load\n\n\n{object} = {factory}(\"rows\")\n"
                );
                (object, source)
            }
            4 => {
                let wrapper = self.fresh("timed");
                let function = self.function(name, "", "", "");
                let flow = self.spelling.flow;
                let source = format!(
                    "import functools\n\n\ndef {wrapper}(function):\n    @functools.wraps(function)\n    def \
                     inner(*args, **kwargs):\n        return function(*args, **kwargs)\n    return \
                     inner\n\n\n@{flow}\n@{wrapper}\n{function}"
                );
                (name.to_owned(), source)
            }
            _ => {
                let object = self.fresh("partial");
                let function = self.function(name, "", "", "");
                let flow = self.spelling.flow;
                let source = format!(
                    "import functools\n\n{object} = functools.partial({flow}, name=\"partial \
                     {object}\")\n\n\n@{object}\n{function}"
                );
                (name.to_owned(), source)
            }
        }
    }
}

//! Modules that run once for all scripts that import them.
//!
//! A module is run by an interpreter of its own, as if nothing else had been imported before. If it then
//! turns out that it has changed nothing but its own objects, the result is a *unit*: what it loaded,
//! noted and depends on. A script that imports the module takes the unit over, unless something in it
//! could be different there: another object stands for one of its modules, or the script has changed
//! some of them already. Then, and where a module changes what others have made, it runs again as a
//! part of the script, as it would in Python.
//!
//! What a script changes of a unit afterwards only that script sees ([`crate::value::run`]).

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use foldhash::{HashMap, HashSet};

use super::imports::become_attribute;
use super::search::ModuleLocation;
use super::union_order::KnownUnion;
use super::{Evaluated, Interpreter, MayBe};
use crate::dependencies::Dependencies;
use crate::library::ImportTarget;
use crate::value::run::Run;
use crate::value::{Class, Imported, Module, Scope, Text, Unknown, Value};

/// What analyses of one library share.
#[derive(Default)]
pub(crate) struct Shelf<'a> {
    /// All modules that ran, by number.
    pub(super) modules: RefCell<Vec<Rc<Module<'a>>>>,
    /// For different directories of scripts there may be different units of one module.
    units: RefCell<HashMap<Key, Vec<Rc<Unit<'a>>>>>,
    /// The modules of which a unit is being made.
    running: RefCell<Vec<Key>>,
    /// Modules that are no units, and those that are none while another one is being made: they import it.
    unshared: RefCell<HashMap<Key, Vec<Option<Key>>>>,
    scopes: RefCell<Vec<Rc<Scope<'a>>>>,
    /// Whether nothing is shared: each script runs all that it imports.
    #[cfg(test)]
    pub(crate) is_off: Cell<bool>,
}

impl Drop for Shelf<'_> {
    fn drop(&mut self) {
        release(self.scopes.take());
    }
}

/// A function holds its scope and the scope holds the function, so reference counts alone would never
/// free them. Emptying the scopes breaks the circles.
pub(super) fn release(scopes: Vec<Rc<Scope<'_>>>) {
    for scope in scopes {
        scope.names.clear();
        scope.annotations.clear();
    }
}

/// The name of a module, and its file or directories.
type Key = (Text, Text);

fn key(name: &str, location: &ModuleLocation) -> Key {
    let place = match location {
        ModuleLocation::File { path, .. } => path.as_str().into(),
        ModuleLocation::Directories(directories) => directories.join("\n").into(),
    };
    (name.into(), place)
}

/// A module that ran for all, with what it loaded.
pub(super) struct Unit<'a> {
    root: Rc<Imported<'a>>,
    loaded: Vec<Loaded<'a>>,
    /// Units that its code may import which is not run.
    looked_at: Vec<Loaded<'a>>,
    /// The directory of the script for which it ran.
    directory: Text,
    /// Whether it is the same for scripts of other directories.
    holds_for: RefCell<HashMap<Text, bool>>,
    dependencies: Arc<Dependencies>,
    /// The same for scripts of other directories.
    moved: RefCell<HashMap<Text, Arc<Dependencies>>>,
    rooted: HashSet<Text>,
    escaped: HashMap<*const (), (Value<'a>, bool)>,
    may_be: MayBe<'a>,
    unions: Vec<KnownUnion<'a>>,
    likely: Vec<(Rc<Unknown>, Value<'a>)>,
    defaults: HashMap<*const (), (Value<'a>, Value<'a>)>,
    implicit: HashMap<*const (), Rc<Class<'a>>>,
    /// Why no flow of a script that imports it is exact, if so.
    doubt: Option<Rc<Unknown>>,
    /// Why modules may be changed by one that is imported perhaps, if so.
    unsure: Option<Rc<Unknown>>,
}

impl<'a> Unit<'a> {
    /// Leaves out what is known of the units that it took over itself.
    fn leave_out<'u>(&mut self, others: impl Iterator<Item = &'u Rc<Unit<'a>>>)
    where
        'a: 'u,
    {
        for other in others {
            self.rooted.retain(|name| !other.rooted.contains(name));
            self.escaped.retain(|place, _| !other.escaped.contains_key(place));
            // Code of this module may have added objects to what another one says.
            self.may_be.retain(|place, (_, objects)| {
                other.may_be.get(place).is_none_or(|(_, known)| known.len() < objects.len())
            });
            self.unions.retain(|union| !other.unions.iter().any(|known| known.is(union)));
            self.likely.retain(|(unknown, _)| {
                !other.likely.iter().any(|(known, _)| Rc::ptr_eq(known, unknown))
            });
        }
    }

    /// What it depends on for scripts of a directory, for which it holds.
    fn dependencies_in(&self, directory: &str) -> Arc<Dependencies> {
        if *self.directory == *directory {
            return Arc::clone(&self.dependencies);
        }
        let mut moved = self.moved.borrow_mut();
        let known = moved.entry(directory.into()).or_insert_with(|| {
            let mut own = Dependencies::clone(&self.dependencies);
            if !self.directory.is_empty() {
                own.lookups.retain(|(place, _), _| **place != *self.directory);
            }
            if !directory.is_empty() {
                own.lookups.extend(self.own_lookups().map(|(name, _)| {
                    ((directory.to_owned(), name.to_owned()), ImportTarget::Missing)
                }));
            }
            Arc::new(own)
        });
        Arc::clone(known)
    }

    /// What was looked up in the directory of the script, and what was found.
    fn own_lookups(&self) -> impl Iterator<Item = (&str, ImportTarget)> {
        let lookups = self.dependencies.lookups.iter();
        lookups
            .filter(|((place, _), _)| **place == *self.directory)
            .map(|((_, name), found)| (name.as_str(), *found))
    }
}

/// What an interpreter loaded.
#[derive(Clone)]
pub(super) enum Loaded<'a> {
    /// A module that it ran itself, or is running.
    Module(Rc<Imported<'a>>),
    Unit(Rc<Unit<'a>>),
}

/// What an interpreter knows that makes a unit.
pub(super) struct UnitInMaking {
    key: Key,
    is_shareable: Cell<bool>,
    /// The module that is being made at the same time and that this one imports.
    waits_for: RefCell<Option<Key>>,
}

impl<'a> Interpreter<'a> {
    /// A module as all scripts have it; `None` if it has to run as a part of this one.
    ///
    /// # Errors
    /// If this is a unit in making that can't become one.
    pub(super) fn shared(
        &self,
        name: &str,
        location: &ModuleLocation,
    ) -> Evaluated<Option<Rc<Imported<'a>>>> {
        #[cfg(test)]
        if self.shelf.is_off.get() {
            return Ok(None);
        }
        let key = key(name, location);
        let is_root = self.unit.as_ref().is_some_and(|unit| unit.key == key);
        if self.program.is_some() || is_root || self.is_below_script(name) {
            return Ok(None);
        }
        if self.shelf.running.borrow().contains(&key) {
            self.keep_to_itself();
            if let Some(unit) = &self.unit {
                unit.waits_for.replace(Some(key));
            }
            return self.raise(NOT_SHARED, "a module that is being imported");
        }
        let unit = self.unit_of(&key, location).filter(|unit| self.would_make(unit));
        Ok(unit.map(|unit| {
            self.take_over(&unit);
            let root = Rc::clone(&unit.root);
            self.loaded.borrow_mut().push(Loaded::Unit(unit));
            root
        }))
    }

    /// The unit of a module for scripts of this directory; `None` if there can't be one.
    fn unit_of(&self, key: &Key, location: &ModuleLocation) -> Option<Rc<Unit<'a>>> {
        let known = self.shelf.units.borrow().get(key).cloned().unwrap_or_default();
        if let Some(unit) = known.into_iter().find(|unit| self.is_for_this_directory(unit)) {
            return Some(unit);
        }
        if self.is_unshared(key) { None } else { self.new_unit(key, location) }
    }

    /// Makes a unit, and keeps it; `None` if the module can't be one.
    fn new_unit(&self, key: &Key, location: &ModuleLocation) -> Option<Rc<Unit<'a>>> {
        self.shelf.running.borrow_mut().push(key.clone());
        let made = self.make_unit(key, location);
        self.shelf.running.borrow_mut().pop();
        let key = key.clone();
        match made {
            Ok(unit) => {
                self.shelf.units.borrow_mut().entry(key).or_default().push(Rc::clone(&unit));
                Some(unit)
            }
            Err(waits_for) => {
                self.shelf.unshared.borrow_mut().entry(key).or_default().push(waits_for);
                None
            }
        }
    }

    fn is_unshared(&self, key: &Key) -> bool {
        let unshared = self.shelf.unshared.borrow();
        let running = self.shelf.running.borrow();
        unshared.get(key).is_some_and(|reasons| {
            reasons.iter().any(|reason| reason.as_ref().is_none_or(|key| running.contains(key)))
        })
    }

    /// Whether a module is loaded as a submodule of the script, for which it is not a module like others.
    fn is_below_script(&self, name: &str) -> bool {
        self.script().is_some_and(|script| {
            let below = name.strip_prefix(&*script.module.name);
            below.is_some_and(|below| below.is_empty() || below.starts_with('.'))
        })
    }

    /// Whether a module that code may import changes nothing but its own objects when it runs.
    pub(super) fn changes_only_itself(&self, name: &str, location: &ModuleLocation) -> bool {
        let key = key(name, location);
        if self.is_below_script(name) {
            return false;
        }
        if self.shelf.running.borrow().contains(&key) {
            // It is loaded where this module is a part of the other.
            self.keep_to_itself();
            return true;
        }
        if let ModuleLocation::File { path, .. } = location {
            self.dependencies.borrow_mut().files.insert(path.clone());
        }
        let Some(unit) = self.unit_of(&key, location) else { return false };
        let is_harmless = self.would_make(&unit);
        self.looked_at.borrow_mut().push(unit);
        is_harmless
    }

    /// What is evaluated depends on the script: the module is run again as a part of it.
    pub(super) fn keep_to_itself(&self) {
        if let Some(unit) = &self.unit {
            unit.is_shareable.set(false);
        }
    }

    /// Runs a module for all scripts.
    ///
    /// # Errors
    /// The module that it waits for, if it can't be a unit because of that, or `None`.
    fn make_unit(&self, key: &Key, location: &ModuleLocation) -> Result<Rc<Unit<'a>>, Option<Key>> {
        let made = Interpreter::of_unit(
            self,
            UnitInMaking {
                key: key.clone(),
                is_shareable: Cell::new(true),
                waits_for: RefCell::default(),
            },
        );
        // No module asks for it: the script notes that itself.
        let nowhere = Scope::module(&made.new_module("", "", "", &[]));
        let outcome = made.load(&key.0, &nowhere);
        if made.needs_depth.get() {
            self.needs_depth.set(true);
        }
        let waits_for = || made.unit.as_ref().and_then(|unit| unit.waits_for.take());
        let Ok(root) = outcome else { return Err(waits_for()) };
        let is_same = match location {
            ModuleLocation::File { path, search } => {
                *root.module.path == **path && root.search == *search
            }
            ModuleLocation::Directories(directories) => root.search == *directories,
        };
        let is_shareable = made.unit.as_ref().is_some_and(|unit| unit.is_shareable.get());
        let is_unit = is_same
            && is_shareable
            && !made.needs_depth.get()
            && !Run::has_changed_others()
            && made.why_search_unknown.borrow().is_none()
            && made.broken_links.borrow().is_empty();
        if !is_unit {
            return Err(waits_for());
        }
        self.shelf.scopes.borrow_mut().extend(made.scopes.take());
        let mut unit = Unit {
            root,
            loaded: made.still_loaded(),
            looked_at: made.looked_at.take().into_iter().map(Loaded::Unit).collect(),
            directory: self.script_directory().into(),
            holds_for: RefCell::default(),
            dependencies: Arc::new(made.dependencies.take()),
            moved: RefCell::default(),
            rooted: made.rooted.take(),
            escaped: made.escaped.take(),
            may_be: made.may_be.take(),
            unions: made.unions.take(),
            likely: made.likely.take(),
            defaults: made.defaults.take(),
            implicit: made.implicit.take(),
            doubt: made.doubt.take(),
            unsure: made.unsure.take(),
        };
        unit.leave_out(made.taken_over.borrow().values());
        Ok(Rc::new(unit))
    }

    /// Whether a unit is what this script would make of the module now.
    fn would_make(&self, unit: &Rc<Unit<'a>>) -> bool {
        self.holds_within(unit, !Run::has_changed_others(), &mut HashSet::default())
    }

    fn holds_within(
        &self,
        unit: &Rc<Unit<'a>>,
        is_unchanged: bool,
        seen: &mut HashSet<*const Unit<'a>>,
    ) -> bool {
        if self.taken_over.borrow().contains_key(&Rc::as_ptr(unit)) {
            return is_unchanged;
        }
        if !seen.insert(Rc::as_ptr(unit)) {
            return true;
        }
        self.is_for_this_directory(unit)
            && unit.unions.iter().all(|union| self.is_union_as_known(union))
            && unit.loaded.iter().all(|loaded| match loaded {
                Loaded::Unit(unit) => self.holds_within(unit, is_unchanged, seen),
                Loaded::Module(imported) => {
                    match self.imported.borrow().get(&imported.module.name) {
                        Some(known) => is_unchanged && Rc::ptr_eq(known, imported),
                        None => true,
                    }
                }
            })
    }

    /// Whether the imports of a unit find the same from the directory of this script: the script's own
    /// directory comes first.
    fn is_for_this_directory(&self, unit: &Unit<'a>) -> bool {
        let directory = self.script_directory();
        if *unit.directory == *directory {
            return true;
        }
        if let Some(holds) = unit.holds_for.borrow().get(directory) {
            return *holds;
        }
        let layout = self.library.layout;
        let is_missing = |name: &str| layout.look_up(directory, name) == ImportTarget::Missing;
        // The root is a place of all scripts, so that nothing has to be missing in it.
        let holds = layout.source_roots.are_same(&unit.directory, directory)
            && unit.own_lookups().all(|(name, found)| {
                (unit.directory.is_empty() || found == ImportTarget::Missing)
                    && (directory.is_empty() || is_missing(name))
            });
        unit.holds_for.borrow_mut().insert(directory.into(), holds);
        holds
    }

    fn take_over(&self, unit: &Rc<Unit<'a>>) {
        let known = self.taken_over.borrow_mut().insert(Rc::as_ptr(unit), Rc::clone(unit));
        if known.is_some() {
            return;
        }
        for loaded in &unit.loaded {
            match loaded {
                Loaded::Unit(unit) => self.take_over(unit),
                Loaded::Module(imported) => {
                    let name = &imported.module.name;
                    self.imported.borrow_mut().insert(Rc::clone(name), Rc::clone(imported));
                    let Some((parent, leaf)) = name.rsplit_once('.') else { continue };
                    let parent = self.imported.borrow().get(parent).cloned();
                    if let Some(parent) = parent.filter(|parent| parent.scope.own(leaf).is_none()) {
                        become_attribute(&parent, leaf, imported);
                    }
                }
            }
        }
        self.rooted.borrow_mut().extend(unit.rooted.iter().cloned());
        let mut escaped = self.escaped.borrow_mut();
        for (place, (value, sets_attributes)) in &unit.escaped {
            let (_, known) = escaped.entry(*place).or_insert_with(|| (value.clone(), false));
            *known |= sets_attributes;
        }
        let mut may_be = self.may_be.borrow_mut();
        for (place, (unknown, objects)) in &unit.may_be {
            let new = || (Rc::clone(unknown), Vec::new());
            may_be.entry(*place).or_insert_with(new).1.extend(objects.iter().cloned());
        }
        self.likely.borrow_mut().extend(unit.likely.iter().cloned());
        self.defaults.borrow_mut().extend(unit.defaults.clone());
        self.implicit.borrow_mut().extend(unit.implicit.clone());
        unit.unions.iter().for_each(|union| self.know_union(union));
        if let Some(doubt) = &unit.doubt {
            self.doubt_script(doubt);
        }
        if let Some(unsure) = &unit.unsure {
            self.unsure.borrow_mut().get_or_insert_with(|| Rc::clone(unsure));
        }
    }

    /// What the answers depend on: what was evaluated here, and each unit that was taken over.
    pub(crate) fn take_dependencies(&self) -> Vec<Arc<Dependencies>> {
        let mut all = vec![Arc::new(self.dependencies.take())];
        let directory = self.script_directory();
        let mut seen = HashSet::default();
        let looked_at: Vec<_> = self.looked_at.borrow().iter().cloned().map(Loaded::Unit).collect();
        for loaded in [&*self.loaded.borrow(), &looked_at] {
            visit_units(loaded, &mut seen, &mut |unit| all.push(unit.dependencies_in(directory)));
        }
        all
    }

    /// What was loaded but for modules that raised: Python forgets them.
    fn still_loaded(&self) -> Vec<Loaded<'a>> {
        let imported = self.imported.borrow();
        let mut all = self.loaded.take();
        all.retain(|loaded| match loaded {
            Loaded::Unit(_) => true,
            Loaded::Module(one) => {
                imported.get(&one.module.name).is_some_and(|now| Rc::ptr_eq(now, one))
            }
        });
        all
    }

    /// The modules that were loaded, in the order in which they were.
    pub(super) fn in_order(&self) -> Vec<Rc<Imported<'a>>> {
        let (mut all, mut seen) = (Vec::new(), HashSet::default());
        flatten(&self.loaded.borrow(), &mut all, &mut seen);
        all
    }
}

fn flatten<'a>(
    loaded: &[Loaded<'a>],
    all: &mut Vec<Rc<Imported<'a>>>,
    seen: &mut HashSet<*const Unit<'a>>,
) {
    for one in loaded {
        match one {
            Loaded::Module(imported) => all.push(Rc::clone(imported)),
            Loaded::Unit(unit) if seen.insert(Rc::as_ptr(unit)) => flatten(&unit.loaded, all, seen),
            Loaded::Unit(_) => {}
        }
    }
}

fn visit_units<'a>(
    loaded: &[Loaded<'a>],
    seen: &mut HashSet<*const Unit<'a>>,
    visit: &mut impl FnMut(&Unit<'a>),
) {
    for one in loaded {
        if let Loaded::Unit(unit) = one
            && seen.insert(Rc::as_ptr(unit))
        {
            visit(unit);
            visit_units(&unit.loaded, seen, visit);
            visit_units(&unit.looked_at, seen, visit);
        }
    }
}

/// The kind of an error that is flowreg's, not Python's: the module runs again as a part of another.
pub(super) const NOT_SHARED: &str = "(not shared)";

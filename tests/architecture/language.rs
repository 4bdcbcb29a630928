//! The measurable rules of the project's language: retired words in names, habits of prose, unique names of types.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use crate::source_text::{Language, SourceText};
use crate::{files, root};

/// Folders and files that these rules do not cover yet.
const NOT_COVERED: &[&str] = &[];

/// Words that were replaced by standard terms.
const RETIRED: &[&str] = &[
    "desk",
    "seat",
    "veil",
    "porter",
    "lobby",
    "reception",
    "elsewhere",
    "ear",
    "wish",
    "shelves",
    "parcel",
    "letter",
    "farewell",
    "surroundings",
    "standing",
    "attendance",
    "sighting",
    "beside",
    "knock",
    "tally",
    "pace",
    "rounds",
    "pulse",
];

/// Words of a habit of prose that a name can have too, above all the name of a test.
const HABIT_WORDS: &[&str] = &["whom", "whose", "whoever", "anew", "likewise", "besides", "hereby", "thereof"];

/// Has the forbidden words as examples.
const GUARD: &str = "tests/architecture/";

/// The domain: in these folders of `src`, a type's name stands for one idea.
const DOMAIN: &[&str] =
    &["presence", "outbox", "engine", "members", "session", "cluster", "redis", "store", "webhook", "api"];

/// Names that several types of the domain bear all the same, with the reason.
const SHARED_NAMES: &[(&str, &str)] = &[];

/// Between the object and the participle of a causative there is no clause.
const CLAUSE: &[&str] = &[
    "that", "which", "who", "is", "are", "was", "were", "be", "been", "and", "or", "it", "to", "not", "has", "have",
    "had", "when", "if", "where", "because", "with", "for", "by", "from", "as", "of", "in", "on", "at", "than", "just",
    "already",
];

/// What a rule found, and in which line.
type Findings = Vec<(usize, String)>;

fn language_of(path: &Path) -> Option<Language> {
    match path.extension()?.to_str()? {
        "rs" => Some(Language::Rust),
        "js" | "mjs" => Some(Language::JavaScript),
        "lua" => Some(Language::Lua),
        "md" => Some(Language::Markdown),
        "html" => Some(Language::Html),
        _ => None,
    }
}

/// A file that the rules cover, with its path from the root.
struct Covered {
    name: String,
    language: Language,
    source: SourceText,
}

static COVERED: LazyLock<Vec<Covered>> = LazyLock::new(|| {
    let pages = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"]
        .map(|page| root().join(page));
    let folders = ["src", "tests", "benches", "tools", "static", "docs"].into_iter().flat_map(files);
    let read = |path: &Path| {
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        let language = language_of(path)?;
        let is_covered = !NOT_COVERED.iter().any(|skipped| name.starts_with(skipped));
        let source = || SourceText::of(&fs::read_to_string(path).unwrap(), language);
        is_covered.then(|| Covered { source: source(), language, name })
    };
    folders.chain(pages).filter_map(|path| read(&path)).collect()
});

static HABITS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:whom|whose|whoever|for\s+ever|anew|likewise|besides|hereby|thereof)\b|;\s+none:").unwrap()
});

/// A causative is `Has … closed`: a determiner, an object, and a participle that no noun follows.
static CAUSATIVE: LazyLock<Regex> = LazyLock::new(|| {
    let determiner = "the|a|an|each|every|all|its|their|them|these|those|this|everybody|everything|somebody";
    let participle = "[a-z]+ed|told|sent|shown|taken|cut|written|read|done|made|given|kept|known|built|found";
    let after = r"\s+(?:by|as|in|on|to|when|before|after|again|once|from|for|so|until|at|too)\b|\s*[.,;:)]|\s*$";
    let object = r"((?:\s+[a-z'-]+){0,4}?)";
    let turn = format!(r"(?i)\b(?:has|have|had|having)\s+(?:{determiner}){object}\s+({participle})(?:{after})");
    Regex::new(&turn).unwrap()
});

static DEFINITION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)^\s*pub(?:\((?:crate|super|in [a-z:]+)\))? (?:struct|enum|trait) ([A-Za-z0-9]+)").unwrap()
});

fn check(rule: impl Fn(&SourceText) -> Findings) {
    let mut wrong = Vec::new();
    for Covered { name, source, .. } in COVERED.iter() {
        wrong.extend(rule(source).into_iter().map(|(line, found)| format!("{name}:{line}: {found}")));
    }
    assert!(wrong.is_empty(), "{} findings\n{}", wrong.len(), wrong.join("\n"));
}

/// `UserActor`, `user_actor`, `USER_ACTOR` and `user-actor.rs` are `user`, `actor`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_small = false;
    for character in name.chars() {
        if !character.is_alphanumeric() || (character.is_uppercase() && after_small) {
            words.push(String::new());
        }
        after_small = character.is_lowercase() || character.is_numeric();
        if character.is_alphanumeric() {
            words.last_mut().unwrap().extend(character.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn is_retired(word: &str) -> bool {
    let plural = |retired: &str| word.strip_prefix(retired).is_some_and(|rest| rest == "s");
    RETIRED.iter().any(|&retired| word == retired || plural(retired))
}

/// Identifiers of the code with their lines.
fn identifiers(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let in_name = |character: char| character.is_alphanumeric() || character == '_' || character == '$';
    code.lines().enumerate().flat_map(move |(number, line)| {
        line.split(move |character| !in_name(character))
            .filter(|name| !name.is_empty())
            .map(move |name| (number + 1, name))
    })
}

fn retired_words(source: &SourceText) -> Findings {
    let found = identifiers(&source.code).filter(|(_, name)| words(name).iter().any(|word| is_retired(word)));
    found.map(|(line, name)| (line, format!("retired word in {name}"))).collect()
}

fn old_bounds(source: &SourceText) -> Findings {
    let is_old = |name: &str| name.starts_with("MOST_") || name.starts_with("LONGEST_");
    let found = identifiers(&source.code).filter(|(_, name)| is_old(name));
    found.map(|(line, name)| (line, format!("{name} should begin with MAX_"))).collect()
}

fn quoted(found: &str) -> String {
    found.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Finds the forbidden words in a text.
fn habits(text: &str) -> Findings {
    let line = |at: usize| text[..at].matches('\n').count() + 1;
    HABITS.find_iter(text).map(|habit| (line(habit.start()), quoted(habit.as_str()))).collect()
}

/// Finds the same words in names and in strings: titles of tests, messages, what a page shows.
fn habits_in_code(source: &SourceText) -> Findings {
    let named =
        identifiers(&source.code).filter(|(_, name)| words(name).iter().any(|word| HABIT_WORDS.contains(&&**word)));
    named.map(|(line, name)| (line, name.to_owned())).chain(habits(&source.strings)).collect()
}

/// Finds the words and turns that a search can find.
fn prose_habits(source: &SourceText) -> Findings {
    let line = |at: usize| source.prose[..at].matches('\n').count() + 1;
    let mut found = habits(&source.prose);
    for turn in CAUSATIVE.captures_iter(&source.prose) {
        let plain = |word: &str| CLAUSE.contains(&word) || word.is_empty();
        let is_noun = ["need", "speed", "feed", "seed", "exceed", "hundred", "embed"].contains(&&turn[2]);
        if !is_noun && !turn[1].split_whitespace().any(plain) {
            let whole = turn.get(0).unwrap();
            found.push((line(whole.start()), format!("causative: {}", quoted(whole.as_str()))));
        }
    }
    found
}

/// The types that a file of the domain shows to others.
fn types(code: &str) -> Vec<String> {
    DEFINITION.captures_iter(code).map(|found| found[1].to_owned()).collect()
}

/// Names that are defined more than once, with their places.
fn defined_twice(definitions: impl Iterator<Item = (String, String)>) -> Vec<String> {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    definitions.for_each(|(name, place)| places.entry(name).or_default().push(place));
    places.retain(|name, places| places.len() > 1 && !SHARED_NAMES.iter().any(|(shared, _)| shared == name));
    places.into_iter().map(|(name, places)| format!("{name}: {}", places.join(", "))).collect()
}

#[test]
fn no_name_has_a_retired_word() {
    check(retired_words);
    let named = COVERED.iter().map(|covered| &*covered.name);
    let wrong: Vec<&str> = named.filter(|name| words(name).iter().any(|word| is_retired(word))).collect();
    assert!(wrong.is_empty(), "retired word in the name of\n{}", wrong.join("\n"));
}

#[test]
fn bounds_are_named_max() {
    check(old_bounds);
}

#[test]
fn prose_is_plain() {
    check(prose_habits);
}

#[test]
fn names_and_strings_are_plain() {
    let mut wrong = Vec::new();
    for Covered { name, source, .. } in COVERED.iter().filter(|covered| !covered.name.starts_with(GUARD)) {
        wrong.extend(habits_in_code(source).into_iter().map(|(line, found)| format!("{name}:{line}: {found}")));
    }
    assert!(wrong.is_empty(), "{} findings\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_type_name_stands_for_one_idea() {
    let in_domain = |name: &str| {
        let inside = name.strip_prefix("src/").unwrap_or_default();
        let module = inside.split(['/', '.']).next().unwrap();
        DOMAIN.contains(&module) && !crate::is_test(Path::new(name))
    };
    let mut definitions = Vec::new();
    let rust = COVERED.iter().filter(|covered| covered.language == Language::Rust);
    for Covered { name, source, .. } in rust.filter(|covered| in_domain(&covered.name)) {
        definitions.extend(types(&source.code).into_iter().map(|definition| (definition, name.clone())));
    }
    let wrong = defined_twice(definitions.into_iter());
    assert!(wrong.is_empty(), "{} names\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_guard_finds_a_retired_word_in_a_name() {
    let found = |text: &str, language| retired_words(&SourceText::of(text, language)).len();
    for bad in ["struct Desk;", "fn take_seat() {}", "const MAX_EARS: u8 = 1;", "let userWish = 1;", "mod beside;"] {
        assert_eq!(found(bad, Language::Rust), 1, "{bad}");
    }
    assert_eq!(found("const pulse = 1;", Language::JavaScript), 1);
    let good = "let early = \"desk\"; // A seat.\nlet heart: Year = namespace; /* pace */ let c = 'x';";
    assert_eq!(found(good, Language::Rust), 0);
    assert!(words("tests/it/lostParcel.rs").iter().any(|word| is_retired(word)));
    assert_eq!(words("HTTPServer_two-three"), ["httpserver", "two", "three"]);
}

#[test]
fn the_guard_finds_an_old_bound() {
    let found = |text: &str| old_bounds(&SourceText::of(text, Language::Rust));
    assert_eq!(found("const MOST_USERS: u8 = 1;\nconst LONGEST_NAME: u8 = 2;").len(), 2);
    assert!(found("const MAX_USERS: u8 = 1; // MOST_USERS").is_empty());
}

#[test]
fn the_guard_finds_a_habit_of_prose() {
    let found = |text: &str| prose_habits(&SourceText::of(text, Language::Rust));
    for bad in [
        "// A user whose name is long.",
        "/// The nodes; none: there are none.",
        "// For\n// ever.",
        "/// Has every session closed.",
        "// The supervisor has the old\n// connection closed by the engine.",
        "//! Besides, it waits.",
    ] {
        assert_eq!(found(bad).len(), 1, "{bad}");
    }
    for good in [
        "/// The user `whose` id this is, \"whoever\" it is.",
        "// The actor has closed every session.",
        "// Has a name that is checked.",
        "// Has all the linked devices.",
        "let whose = \"besides\";",
    ] {
        assert!(found(good).is_empty(), "{good}: {:?}", found(good));
    }
    let document = SourceText::of("The user whose name is long.\n", Language::Markdown);
    assert_eq!(prose_habits(&document).len(), 1);
}

#[test]
fn the_guard_finds_a_habit_in_a_name_or_a_string() {
    let found = |text: &str, language| habits_in_code(&SourceText::of(text, language)).len();
    assert_eq!(found("fn a_user_whose_name_is_long() {}", Language::Rust), 1);
    assert_eq!(found("log::warn!(\"a user whose name is long\");", Language::Rust), 1);
    for title in ["'a user whom they follow'", "`a user whose ${name} is long`", "\"whoever\""] {
        assert_eq!(found(&format!("test({title}, () => {{}});"), Language::JavaScript), 1, "{title}");
    }
    assert_eq!(found("<h2>Who follows whom</h2>", Language::Html), 1);
    assert_eq!(found("let who = 'who'; // Whose.", Language::JavaScript), 0);
}

#[test]
fn the_guard_finds_a_type_that_is_defined_twice() {
    let one = types("pub struct Answer;\nstruct Answer;\npub(crate) enum Reply {}\n    pub(super) trait Port {}");
    assert_eq!(one, ["Answer", "Reply", "Port"]);
    let definitions = [("Answer", "a.rs"), ("Reply", "a.rs"), ("Answer", "b.rs")];
    let wrong = defined_twice(definitions.into_iter().map(|(name, place)| (name.to_owned(), place.to_owned())));
    assert_eq!(wrong, ["Answer: a.rs, b.rs"]);
}

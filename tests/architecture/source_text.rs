//! Takes a source file apart: code, comments, and what is quoted. No parser; good enough for this project's own files.

/// What a file is written in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Language {
    Rust,
    JavaScript,
    /// A script in Redis.
    Lua,
    Markdown,
    /// A page. All of it counts as strings.
    Html,
}

/// The parts of a file. Each has as many lines as the file; what belongs to the other part is blank.
pub struct SourceText {
    /// Without comments, strings and character literals.
    pub code: String,
    /// Comments, or the text of a document, without what stands in backticks or quotation marks.
    pub prose: String,
    /// The strings: titles of tests, what a page shows. Empty for a document.
    pub strings: String,
}

/// What a character of a file belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Code,
    LineComment,
    BlockComment,
    /// Up to this delimiter.
    Literal(char),
    /// A raw string of Rust, with so many number signs.
    RawLiteral(usize),
}

impl SourceText {
    pub fn of(text: &str, language: Language) -> Self {
        match language {
            Language::Markdown => {
                let prose = without_quotes(&without_fences(text));
                Self { code: String::new(), prose, strings: String::new() }
            }
            Language::Html => Self { code: String::new(), prose: String::new(), strings: text.to_owned() },
            Language::Rust | Language::JavaScript | Language::Lua => Self::split(text, language),
        }
    }

    fn split(text: &str, language: Language) -> Self {
        let characters: Vec<char> = text.chars().collect();
        let (mut code, mut prose, mut strings) = (String::new(), String::new(), String::new());
        let (mut part, mut at) = (Part::Code, 0);
        while let Some(&character) = characters.get(at) {
            let (next, taken) = step(part, &characters[at..], &code, language);
            let blank = |character: char| if character == '\n' { '\n' } else { ' ' };
            for &character in &characters[at..(at + taken).min(characters.len())] {
                code.push(if part == Part::Code && next == Part::Code { character } else { blank(character) });
                let is_comment = |part| matches!(part, Part::LineComment | Part::BlockComment);
                prose.push(if is_comment(part) && is_comment(next) { character } else { blank(character) });
                let is_string = |part| matches!(part, Part::Literal('"' | '\'' | '`'));
                strings.push(if is_string(part) && is_string(next) { character } else { blank(character) });
            }
            let ends = part == Part::LineComment && character == '\n';
            part = if ends { Part::Code } else { next };
            at += taken;
        }
        // The second and third sign of a doc comment.
        let prose = prose.replace("\n///", "\n   ").replace(['/', '*'], " ");
        Self { code, prose: without_quotes(&without_fences(&prose)), strings }
    }
}

/// Returns the part after the next characters, and how many characters were taken.
fn step(part: Part, rest: &[char], code: &str, language: Language) -> (Part, usize) {
    let next = rest.get(1).copied().unwrap_or('\n');
    match (part, rest[0]) {
        (Part::Code, '-') if next == '-' && language == Language::Lua => (Part::LineComment, 2),
        (Part::Code, '/') if next == '/' => (Part::LineComment, 2),
        (Part::Code, '/') if next == '*' => (Part::BlockComment, 2),
        (Part::Code, 'r' | '#') if language == Language::Rust => raw_start(rest, code).unwrap_or((Part::Code, 1)),
        (Part::Code, '"') => (Part::Literal('"'), 1),
        (Part::Code, '\'') if language == Language::Rust => match rest {
            // A character; anything else is a lifetime.
            [_, '\\', ..] | [_, _, '\'', ..] => (Part::Literal('\''), 1),
            _ => (Part::Code, 1),
        },
        (Part::Code, quote @ ('\'' | '`')) => (Part::Literal(quote), 1),
        (Part::Code, '/') if language == Language::JavaScript && begins_regex(code) => (Part::Literal('/'), 1),
        (Part::BlockComment, '*') if next == '/' => (Part::Code, 2),
        (Part::Literal(_), '\\') => (part, 2),
        (Part::Literal(end), found) if found == end => (Part::Code, 1),
        (Part::RawLiteral(signs), '"') if rest.len() > signs && rest[1..=signs].iter().all(|&sign| sign == '#') => {
            (Part::Code, signs + 1)
        }
        (part, _) => (part, 1),
    }
}

/// The start of a raw string: `r"`, `r#"`.
fn raw_start(rest: &[char], code: &str) -> Option<(Part, usize)> {
    let in_name = code.ends_with(|character: char| character.is_alphanumeric() || character == '_');
    if rest[0] != 'r' || (in_name && !code.ends_with('b')) {
        return None;
    }
    let signs = rest[1..].iter().take_while(|&&sign| sign == '#').count();
    (rest.get(signs + 1) == Some(&'"')).then_some((Part::RawLiteral(signs), signs + 2))
}

/// Whether a slash after this code begins a regular expression: after an operator, not after a value.
fn begins_regex(code: &str) -> bool {
    let code = code.trim_end();
    code.is_empty() || code.ends_with(['(', ',', '=', ':', '[', '!', '&', '|', '?', '{', '}', ';', '>'])
}

fn without_fences(text: &str) -> String {
    let mut fenced = false;
    let mut kept = String::new();
    for line in text.lines() {
        let is_fence = line.trim_start().starts_with("```");
        fenced ^= is_fence;
        if !fenced && !is_fence {
            kept.push_str(line);
        }
        kept.push('\n');
    }
    kept
}

/// Blanks what stands in backticks or quotation marks. A quotation ends with its paragraph at the latest.
fn without_quotes(text: &str) -> String {
    let mut kept = String::new();
    let mut quote = None;
    let mut last_line_is_blank = false;
    for line in text.lines() {
        if line.trim().is_empty() || last_line_is_blank {
            quote = None;
        }
        last_line_is_blank = line.trim().is_empty();
        for character in line.chars() {
            match quote {
                Some(end) if character == end => quote = None,
                Some(_) => {}
                None if character == '`' || character == '"' => quote = Some(character),
                None if character == '“' => quote = Some('”'),
                None => kept.push(character),
            }
        }
        kept.push('\n');
    }
    kept
}

#[test]
fn code_and_comments_are_told_apart() {
    let text = "let a = \"not // a comment\"; // But \"quoted\" this is.\nlet b = '\"'; /* one\ntwo */ let c = r#\"raw \" x\"#;\n";
    let source = SourceText::of(text, Language::Rust);
    assert_eq!(source.code.split_whitespace().collect::<String>(), "leta=;letb=;letc=;");
    assert_eq!(source.prose.split_whitespace().collect::<Vec<_>>().join(" "), "But this is. one two");
    assert_eq!(source.code.lines().count(), 3);
    assert_eq!(source.strings.split_whitespace().collect::<Vec<_>>().join(" "), "not // a comment \"");
}

#[test]
fn a_regular_expression_of_a_page_is_a_literal() {
    let source = SourceText::of("const a = /['\"]/.test(b, 'x'); // that\nconst c = d / e;\n", Language::JavaScript);
    assert_eq!(source.code.split_whitespace().collect::<String>(), "consta=.test(b,);constc=d/e;");
    assert_eq!(source.strings.trim(), "x");
    assert_eq!(source.prose.trim(), "that");
}

#[test]
fn a_document_is_prose_without_its_samples() {
    let source = SourceText::of("One `two`\n```sh\nthree\n```\nfour\n", Language::Markdown);
    assert_eq!(source.prose, "One \n\n\n\nfour\n");
}

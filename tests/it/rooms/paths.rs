//! Reads the paths out of a Rust source: just enough of the language for that.

/// A path as it is written, with the groups of a `use` line taken apart.
pub struct Written {
    pub segments: Vec<String>,
    pub line: usize,
    /// How many modules the path stands below the root of the crate.
    depth: usize,
    /// It opens with `::`.
    pub absolute: bool,
    /// It stands in a `use` line.
    pub imported: bool,
}

impl Written {
    /// The room it leads to, if it passes through the root of the crate.
    pub fn room(&self) -> Option<&str> {
        let mut level = self.depth;
        for (at, segment) in self.segments.iter().enumerate() {
            match segment.as_str() {
                "crate" | "calbridge" if at == 0 => level = 0,
                "super" => level = level.checked_sub(1)?,
                "self" if at == 0 => {}
                room => return (at > 0 && level == 0).then_some(room),
            }
        }
        None
    }

    /// It brings in a module of this crate.
    pub fn is_ours(&self) -> bool {
        matches!(self.segments[0].as_str(), "crate" | "self" | "super" | "mod")
    }
}

/// Every path in `text`, a file that stands `depth` modules below the root of its crate.
pub fn paths(text: &str, depth: usize) -> Vec<Written> {
    let tokens = tokens(text);
    let word = |at: usize| tokens.get(at).map_or("", |token: &Token| token.text.as_str());
    let mut found = Vec::new();
    let mut inner = Vec::new(); // of each open brace, whether it is a module's
    let (mut at, mut imported) = (0, false);
    while at < tokens.len() {
        match word(at) {
            "{" => inner.push(at >= 2 && word(at - 2) == "mod"),
            "}" => drop(inner.pop()),
            ";" => imported = false,
            "use" => imported = true,
            "mod" if is_name(word(at + 1)) => found.push(Written {
                segments: vec!["mod".to_owned(), word(at + 1).to_owned()],
                line: tokens[at].line,
                depth: usize::MAX,
                absolute: false,
                imported: false,
            }),
            name if is_name(name) => {
                let absolute = at >= 1 && word(at - 1) == "::";
                let depth = depth + inner.iter().filter(|module| **module).count();
                let line = tokens[at].line;
                let mut written = Vec::new();
                at = read_path(&tokens, at, &[], &mut written);
                found.extend(written.into_iter().map(|segments| Written {
                    segments,
                    line,
                    depth,
                    absolute,
                    imported,
                }));
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Reads the path or group that begins at `at` into `found`; returns where it ends.
fn read_path(
    tokens: &[Token],
    at: usize,
    before: &[String],
    found: &mut Vec<Vec<String>>,
) -> usize {
    let word = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let mut segments = before.to_vec();
    let mut at = at;
    loop {
        match word(at) {
            "{" => {
                at += 1;
                while !matches!(word(at), "}" | "") {
                    let opens = is_name(word(at)) || matches!(word(at), "{" | "*");
                    at = if opens { read_path(tokens, at, &segments, found) } else { at + 1 };
                    if word(at) == "as" {
                        at += 2;
                    }
                }
                return at + 1;
            }
            name => {
                segments.push(name.to_owned());
                at += 1;
            }
        }
        let goes_on =
            word(at) == "::" && (is_name(word(at + 1)) || matches!(word(at + 1), "{" | "*"));
        if !goes_on {
            // An exported macro stands at the root of its crate and is no room.
            let called = word(at) == "!" && matches!(word(at + 1), "{" | "(" | "[");
            if !(called && segments.len() == 2) {
                found.push(segments);
            }
            return at;
        }
        at += 1;
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

struct Token {
    text: String,
    line: usize,
}

/// Names, `::` and single signs; comments, strings and character literals are left out.
fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(first) = rest.chars().next() {
        let silent = comment(rest).or_else(|| string(rest)).or_else(|| character(rest));
        let length = silent.unwrap_or_else(|| {
            let name = rest.find(|sign: char| !sign.is_alphanumeric() && sign != '_');
            match name.unwrap_or(rest.len()) {
                0 if rest.starts_with("::") => 2,
                0 => first.len_utf8(),
                length => length,
            }
        });
        if silent.is_none() && !first.is_whitespace() {
            found.push(Token { text: rest[..length].to_owned(), line });
        }
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    found
}

/// How long the comment is that begins here, if one does.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    let mut open = usize::from(text.starts_with("/*"));
    let mut at = 2 * open;
    while open > 0 && at < text.len() {
        match text.as_bytes()[at..] {
            [b'/', b'*', ..] => (open, at) = (open + 1, at + 2),
            [b'*', b'/', ..] => (open, at) = (open - 1, at + 2),
            _ => at += 1,
        }
    }
    (at > 0).then_some(at)
}

/// How long the string literal is that begins here, if one does.
fn string(text: &str) -> Option<usize> {
    let kind = text.bytes().take(3).position(|byte| matches!(byte, b'"' | b'#'))?;
    if !matches!(&text[..kind], "" | "b" | "c" | "r" | "br" | "cr") {
        return None;
    }
    let raw = text[..kind].ends_with('r');
    let fence = text[kind..].bytes().take_while(|byte| raw && *byte == b'#').count();
    let body = kind + fence + 1;
    if !text[kind + fence..].starts_with('"') {
        return None;
    }
    if raw {
        let end = format!("\"{}", "#".repeat(fence));
        return Some(text[body..].find(&end).map_or(text.len(), |at| body + at + end.len()));
    }
    Some(end_of_literal(text, body, '"'))
}

/// How long the character literal is that begins here, if one does and it is no lifetime.
fn character(text: &str) -> Option<usize> {
    let mut signs = text.strip_prefix('\'')?.chars();
    let (first, second) = (signs.next()?, signs.next());
    (first == '\\' || second == Some('\'')).then(|| end_of_literal(text, 1, '\''))
}

/// Just past the first `end` from `body` on that no backslash takes away.
fn end_of_literal(text: &str, body: usize, end: char) -> usize {
    let mut escaped = false;
    let at = text[body..].find(|sign| {
        let here = sign == end && !escaped;
        escaped = sign == '\\' && !escaped;
        here
    });
    at.map_or(text.len(), |at| body + at + 1)
}

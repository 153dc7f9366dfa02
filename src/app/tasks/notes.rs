//! Notes in Markdown as Google shows them: the little HTML that its calendar knows, and nothing that a
//! browser could be led astray with.

use std::collections::HashSet;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html};

/// The tags that Google's calendar shows in a description.
const SHOWN: [&str; 11] = ["a", "b", "br", "em", "i", "li", "ol", "p", "strong", "u", "ul"];

/// The notes as they stand in an event's description.
pub fn shown(notes: &str) -> String {
    let parser = Parser::new_ext(notes, Options::ENABLE_STRIKETHROUGH).map(|event| match event {
        // Google shows no headings: they are paragraphs, so that they do not run into the text.
        Event::Start(Tag::Heading { .. }) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::Heading(_)) => Event::End(TagEnd::Paragraph),
        other => other,
    });
    let mut written = String::new();
    html::push_html(&mut written, parser);
    let mut cleaner = ammonia::Builder::default();
    cleaner.tags(HashSet::from(SHOWN)).url_schemes(HashSet::from(["http", "https", "mailto"]));
    cleaner.clean(&written).to_string().trim().to_owned()
}

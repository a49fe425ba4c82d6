//! Relative links, of every Markdown file of the project.

use std::{fs, path::Path};

use crate::{files, markdown, root};

/// Fails if a document is moved, or a heading renamed, and what links to it is not.
#[test]
fn every_relative_link_leads_to_a_file_and_a_heading() {
    let documents = files(root(), "md");
    let texts: Vec<_> = documents.iter().map(|path| (path, fs::read_to_string(path).unwrap())).collect();
    let is_relative = |link: &&str| !link.contains("://");
    let links: Vec<_> = texts
        .iter()
        .flat_map(|(path, text)| markdown::links(text).into_iter().map(move |link| (*path, link)))
        .filter(|(_, link)| is_relative(link))
        .collect();
    assert!(links.len() > 20, "{} links in {} documents", links.len(), documents.len());

    let dead = links.iter().filter(|(from, link)| !leads_somewhere(from, link));
    let dead: Vec<_> = dead.map(|(from, link)| format!("{}: {link}", from.display())).collect();

    assert!(dead.is_empty(), "{}", dead.join("\n"));
}

fn leads_somewhere(from: &Path, link: &str) -> bool {
    let (file, heading) = link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading)));
    let target = if file.is_empty() { from.to_owned() } else { from.with_file_name(file) };
    match heading {
        None => target.exists(),
        Some(heading) => {
            fs::read_to_string(target).is_ok_and(|text| markdown::anchors(&text).contains(heading))
        }
    }
}

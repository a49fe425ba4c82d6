//! The page at `/`: the files of `stats-node/page`, which are in the program.
//!
//! They load nothing from elsewhere, and the head of every answer forbids it. What nodes, destinations and devices say
//! reaches the page as data only, from the same paths that programs ask.

use axum::{
    http::{
        HeaderName, StatusCode,
        header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY},
    },
    response::{IntoResponse, Response},
};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const ICON: &str = "image/svg+xml";

/// No inline script or style, nothing from elsewhere, and no frame of somebody else around it.
const POLICY: &str =
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const INDEX: &str = include_str!("../page/index.html");

/// What the page is made of, by name.
const FILES: [(&str, &str, &str); 15] = [
    ("app.js", SCRIPT, include_str!("../page/app.js")),
    ("bytes.js", SCRIPT, include_str!("../page/bytes.js")),
    ("chart.js", SCRIPT, include_str!("../page/chart.js")),
    ("divergences.js", SCRIPT, include_str!("../page/divergences.js")),
    ("dom.js", SCRIPT, include_str!("../page/dom.js")),
    ("fabric.js", SCRIPT, include_str!("../page/fabric.js")),
    ("format.js", SCRIPT, include_str!("../page/format.js")),
    ("head.js", SCRIPT, include_str!("../page/head.js")),
    ("history.js", SCRIPT, include_str!("../page/history.js")),
    ("requests.js", SCRIPT, include_str!("../page/requests.js")),
    ("icon.svg", ICON, include_str!("../page/icon.svg")),
    ("keys.js", SCRIPT, include_str!("../page/keys.js")),
    ("stream.js", SCRIPT, include_str!("../page/stream.js")),
    ("style.css", CSS, include_str!("../page/style.css")),
    ("tables.js", SCRIPT, include_str!("../page/tables.js")),
];

/// The page itself.
pub(crate) fn index() -> Response {
    shown(HTML, INDEX)
}

/// A file of it.
pub(crate) fn file(name: &str) -> Option<Response> {
    let (_, kind, text) = FILES.iter().find(|(file, ..)| *file == name)?;
    Some(shown(kind, text))
}

/// Not kept by browsers: the next start may be of another version.
fn shown(kind: &'static str, text: &'static str) -> Response {
    let headers: [(HeaderName, &str); 4] = [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
    ];
    (StatusCode::OK, headers, text).into_response()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs};

    use super::*;

    fn folder() -> BTreeSet<String> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/page");
        let names = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name());
        names.map(|name| name.into_string().unwrap()).collect()
    }

    /// Fails if a file is added to the folder and not to the program.
    #[test]
    fn every_file_of_the_folder_is_in_the_program() {
        let mut served: BTreeSet<String> = FILES.iter().map(|(name, ..)| (*name).to_owned()).collect();
        served.insert("index.html".to_owned());
        assert_eq!(served, folder());
    }

    /// Fails if a file names another site, or anything is written that the policy refuses.
    #[test]
    fn nothing_is_loaded_from_elsewhere_and_nothing_is_inline() {
        let texts = FILES.iter().map(|(name, _, text)| (*name, *text)).chain([("index.html", INDEX)]);
        for (name, text) in texts {
            let text = text.replace("http://www.w3.org/2000/svg", "");
            for foreign in ["http://", "https://", "innerHTML", "insertAdjacentHTML", " style=\"", "<style"] {
                assert!(!text.contains(foreign), "{name} has {foreign}");
            }
        }
        assert_eq!(
            INDEX.matches("<script").count(),
            INDEX.matches("<script type=\"module\" src=\"page/").count()
        );
    }
}

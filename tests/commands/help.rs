//! What every command owes whoever types it: help with examples, version, and wrong usage that is named.

use crate::run;

/// The subcommands that `pegloom --help` lists, but for `help` itself.
#[track_caller]
fn subcommands() -> Vec<String> {
    let help = run("--help").stdout;
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    let names = lines.filter_map(|line| line.split_whitespace().next());
    let names: Vec<_> = names.filter(|name| *name != "help").map(str::to_owned).collect();
    assert!(names.len() >= 3, "{help}");
    names
}

/// Fails if help is wider than a usual terminal, coloured in a pipe, on stderr, or without an example.
#[test]
fn the_help_of_every_command_has_an_example_and_fits_the_terminal() {
    let mut commands: Vec<_> = subcommands().into_iter().map(|name| (name.clone(), name)).collect();
    commands.push((String::new(), "echo".to_owned()));

    for (command, example) in commands {
        for flag in ["--help", "-h"] {
            let help = run(&format!("{command} {flag}"));
            assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""), "{command} {flag}");
            let (_, examples) = help.stdout.split_once("Examples:\n").expect("there are examples");
            assert!(examples.contains(&format!("    pegloom {example} ")), "{}", help.stdout);
            let widest = help.stdout.lines().max_by_key(|line| line.chars().count()).unwrap();
            assert!(widest.chars().count() <= 100, "too wide: {widest}");
            assert!(!help.stdout.contains('\u{1b}'), "colours in a pipe: {:?}", help.stdout);
        }
    }
}

/// Fails if the version cannot be asked for.
#[test]
fn the_version_is_one_line_on_stdout() {
    let version = run("--version");

    assert_eq!((version.code, version.stderr.as_str()), (Some(0), ""));
    assert_eq!(version.stdout, format!("pegloom {}\n", env!("CARGO_PKG_VERSION")));
}

/// Fails if a name is taken that the other end of a link, or whoever reads reports, does not take.
#[test]
fn a_name_that_is_too_long_or_empty_is_wrong_usage() {
    let long = "n".repeat(121);
    for command in [
        "up --listen :0 --forward :9 --node",
        "ingress --listen :0 --forward :9 --node",
        "fanout --forward :9 --worker",
    ] {
        let ended = run(&format!("{command} {long}"));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(64), ""), "{command}");
        assert!(ended.stderr.contains("a name has at most 120 bytes, and this one 121"), "{}", ended.stderr);
        let ended = run(&format!("{command}="));
        assert_eq!(ended.code, Some(64), "{command}");
        assert!(ended.stderr.contains("a name is not empty"), "{}", ended.stderr);
    }
}

/// Fails if clap's own exit code shows, the fault is not named, or anything is on stdout or coloured.
#[test]
fn wrong_usage_is_named_on_stderr_and_exit_code_64() {
    for (typed, named) in [
        ("", "Usage: pegloom <COMMAND>"),
        ("chekc --config f", "'chekc'"),
        ("check --confgi f", "'--confgi'"),
        ("check --config f --config g", "'--config <FILE>'"),
        ("check --config", "'--config <FILE>'"),
        ("init", "<KIND>"),
        ("init everything", "'everything'"),
        ("echo", "<ADDRESS>"),
        ("echo :0 --silent --prefix x", "'--prefix <TEXT>'"),
        ("echo :0 --log-format xml", "'xml'"),
    ] {
        let ended = run(typed);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(64), ""), "pegloom {typed}");
        assert!(ended.stderr.contains(named), "{named} is not named in:\n{}", ended.stderr);
        assert!(!ended.stderr.contains('\u{1b}'), "colours in a pipe: {:?}", ended.stderr);
    }
}

//! The umbrella binary.
fn main() -> runtime::exit::Exit {
    pegloom::main_from(std::env::args_os().skip(1))
}

//! The program `hereabouts-load`. All of it is in the library, so that its documentation and its tests are built once.

fn main() -> anyhow::Result<()> {
    hereabouts_load::run()
}

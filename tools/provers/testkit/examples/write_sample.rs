//! Writes a sample as a package with its witness: `write_sample FOLDER everything`,
//! `write_sample FOLDER linked|network STEPS`, or `write_sample FOLDER range LOG_HEIGHT LANES BITS`.

use lindero_testkit::samples;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (folder, sample) =
        match words[..] {
            [folder, "everything"] => (folder, samples::everything()),
            [folder, "linked", blocks] => (folder, samples::linked_blocks(0, blocks.parse()?)),
            [folder, "network", steps] => (folder, samples::network_steps(0, steps.parse()?)),
            [folder, "range", log_height, lanes, bits] => {
                (folder, samples::range_lookup(log_height.parse()?, lanes.parse()?, bits.parse()?))
            }
            _ => return Err(
                "usage: write_sample FOLDER everything | linked|network STEPS | range LOG_HEIGHT LANES BITS"
                    .into(),
            ),
        };
    sample.write(folder.as_ref())?;
    Ok(())
}

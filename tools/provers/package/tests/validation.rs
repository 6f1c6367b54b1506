//! Circuits that break a rule are refused, with a message that says which.

use lindero_package::proto::{self, column::Generator, node::Op};
use lindero_package::{encode, fill_order, schedule, Circuit, ColumnFile, StatedTensor, Statement};
use lindero_testkit::samples;

fn decode(change: impl FnOnce(&mut proto::Circuit)) -> Result<Circuit, String> {
    let mut circuit = samples::everything().circuit;
    change(&mut circuit);
    Circuit::decode(&encode(&circuit)).map_err(|error| error.to_string())
}

fn push(circuit: &mut proto::Circuit, op: Op, a: u32, b: u32, offset: i32) -> u32 {
    circuit.nodes.push(proto::Node { op: op as i32, a, b, offset });
    circuit.nodes.len() as u32 - 1
}

/// Replaces the first constraint of table 0.
fn constrain(circuit: &mut proto::Circuit, node: u32) {
    circuit.tables[0].constraints[0].node = node;
}

/// The generator of the first column of table 0 in `phase`.
fn generator(circuit: &mut proto::Circuit, phase: u32) -> &mut Generator {
    let column = circuit.tables[0].columns.iter_mut().find(|column| column.phase == phase).unwrap();
    column.generator.as_mut().unwrap()
}

/// Replaces that of the first column of table 0 in phase 2.
fn numerator(circuit: &mut proto::Circuit, node: u32) {
    let Generator::Fraction(fraction) = generator(circuit, 2) else { panic!("the first is a fraction") };
    fraction.numerator = node;
}

#[test]
fn broken_circuits_are_refused() {
    type Change = fn(&mut proto::Circuit);
    let cases: Vec<(&str, Change)> = vec![
        ("format 2", |c| c.format = 2),
        ("field", |c| c.modulus = 97),
        ("public tensors", |c| c.publics = vec![c.publics[0].clone(); (1 << 12) + 1]),
        ("no table", |c| c.tables.clear()),
        ("height 2^29", |c| c.tables[0].log_height = 29),
        ("no columns", |c| c.tables[1].columns.clear()),
        ("follows one of phase", |c| c.tables[0].columns.reverse()),
        ("phase 4 does not exist", |c| c.tables[0].columns.last_mut().unwrap().phase = 4),
        ("generators belong", |c| c.tables[0].columns.last_mut().unwrap().generator = None),
        ("unknown kind", |c| c.tables[0].constraints[0].kind = 3),
        ("names node", |c| constrain(c, 1 << 20)),
        ("drawn after phase 3", |c| c.challenges[0].phase = 3),
        ("operation 11 does not exist", |c| c.nodes[0].op = 11),
        ("does not come before it", |c| {
            let next = c.nodes.len() as u32;
            push(c, Op::Neg, next, 0, 0);
        }),
        ("not a canonical residue", |c| {
            push(c, Op::Constant, 0x7fff_ffff, 0, 0);
        }),
        ("which does not exist", |c| {
            push(c, Op::Column, 0, 99, 0);
        }),
        ("which does not exist", |c| {
            push(c, Op::Challenge, 99, 0, 0);
        }),
        ("which does not exist", |c| {
            push(c, Op::ClaimedSum, 99, 0, 0);
        }),
        ("row offset 2", |c| {
            push(c, Op::Column, 0, 0, 2);
        }),
        ("sets a field", |c| {
            push(c, Op::Neg, 0, 0, 1);
        }),
        ("sets a field", |c| {
            push(c, Op::IsFirst, 1, 0, 0);
        }),
        ("mixes columns of tables 0 and 1", |c| {
            let (a, b) = (push(c, Op::Column, 0, 0, 0), push(c, Op::Column, 1, 0, 0));
            push(c, Op::Add, a, b, 0);
        }),
        ("an inverse reads", |c| {
            let column = push(c, Op::Column, 0, 0, 0);
            push(c, Op::Inverse, column, 0, 0);
        }),
        ("an inverse reads", |c| {
            let claimed_sum = push(c, Op::ClaimedSum, 0, 0, 0);
            push(c, Op::Inverse, claimed_sum, 0, 0);
        }),
        ("reads another table", |c| {
            let other = push(c, Op::Column, 1, 0, 0);
            constrain(c, other);
        }),
        ("degree 4", |c| {
            let column = push(c, Op::Column, 0, 0, 0);
            let square = push(c, Op::Mul, column, column, 0);
            let fourth = push(c, Op::Mul, square, square, 0);
            constrain(c, fourth);
        }),
        ("not known in phase 2", |c| {
            let late = c.challenges.iter().position(|challenge| challenge.phase == 2).unwrap() as u32;
            let late = push(c, Op::Challenge, late, 0, 0);
            numerator(c, late);
        }),
        ("not known in phase 2", |c| {
            let own = push(c, Op::ClaimedSum, 0, 0, 0);
            numerator(c, own);
        }),
        ("makes claimed sum", |c| {
            let Generator::Fraction(fraction) = generator(c, 2) else { panic!("the first is a fraction") };
            fraction.claimed_sum += 1;
        }),
        ("no column makes claimed sum", |c| {
            c.claimed_sums.push(proto::ClaimedSum { name: "more".into(), ..Default::default() });
        }),
        ("is of no group", |c| c.claimed_sums[0].group = 9),
        ("is of no group", |c| c.publics[0].group = 9),
        ("challenge that does not exist", |c| c.publics[0].row_challenge = 99),
        ("cannot have bundles", |c| c.most_blocks = 2),
        ("does not fit the field", |c| c.publics[0].high = 0x4000_0000),
        ("is empty or does not fit", |c| (c.publics[0].low, c.publics[0].high) = (1, 0)),
        ("empty tiles", |c| c.publics[0].tile_rows = 0),
        ("is empty", |c| c.publics[0].columns = 0),
        ("do not fit the field", |c| c.publics[0].address = 0x7fff_fff8),
        ("names bus 9", |c| {
            let lookup = proto::Lookup { name: "lost".into(), bus: 9, ..Default::default() };
            c.tables[0].lookups.push(lookup);
        }),
        ("overlap", |c| {
            let instance = |first_row| proto::Instance { first_row, rows: 2, ..Default::default() };
            c.tables[0].instances = vec![instance(0), instance(1)];
        }),
        ("leave the table", |c| {
            c.tables[0].instances =
                vec![proto::Instance { first_row: u64::MAX, rows: 2, ..Default::default() }];
        }),
        ("depends on itself", |c| {
            let column = c.tables[0].columns.iter().position(|column| column.phase == 3).unwrap() as u32;
            let own = push(c, Op::Column, 0, column, -1);
            *generator(c, 3) = Generator::Expression(proto::Expression { value: own });
        }),
        ("no constraint reads column ramp", |c| {
            c.tables[1].constraints.retain(|constraint| constraint.name != "ramp");
        }),
        ("column input: R0", |c| {
            c.tables[0].constraints.retain(|constraint| constraint.name != "input");
        }),
        ("share addresses", |c| {
            let mut second = c.publics[0].clone();
            (second.name, second.address) = ("second".into(), 18);
            c.publics.push(second);
        }),
        ("is in no segment", |c| c.segments[0].tables = vec![0]),
        ("is in no segment", |c| c.segments.clear()),
        ("wrongly or again", |c| c.segments[0].tables = vec![0, 1, 0]),
    ];
    assert!(decode(|_| {}).is_ok());
    for (message, change) in cases {
        let error =
            decode(change).err().unwrap_or_else(|| panic!("accepted, where {message:?} was expected"));
        assert!(error.contains(message), "expected {message:?}, got {error:?}");
    }
}

#[test]
fn links_are_checked() {
    type Change = fn(&mut proto::Circuit);
    /// The index of a sum group.
    fn group(circuit: &proto::Circuit, name: &str) -> u32 {
        circuit.sum_groups.iter().position(|group| group.name == name).unwrap() as u32
    }
    let cases: Vec<(&str, Change)> = vec![
        ("cannot have bundles", |c| c.most_blocks = 0),
        ("cannot have bundles", |c| c.most_blocks = 1),
        ("cannot have bundles", |c| c.most_blocks = (1 << 16) + 1),
        ("cannot have bundles", |c| c.links.clear()),
        ("does not exist, or twice", |c| c.links[0].out = 99),
        ("does not exist, or twice", |c| c.links[0].out = c.links[0].r#in),
        ("does not exist, or twice", |c| {
            let (r#in, out) = (c.links[0].out, group(c, "range"));
            c.links.push(proto::Link { r#in, out });
        }),
        ("has no claimed sum", |c| {
            c.sum_groups.push(proto::SumGroup { name: "empty".into() });
            c.links[0].r#in = group(c, "empty");
        }),
        ("has a public tensor", |c| c.links[0].out = group(c, "state")),
        // A sum under a challenge of phase 2, which another block does not have.
        ("makes a linked claimed sum in phase 3", |c| c.links[0].out = group(c, "range")),
    ];
    let decode = |change: Change| {
        let mut circuit = samples::linked(0, 0, 0).circuit;
        change(&mut circuit);
        Circuit::decode(&encode(&circuit)).map_err(|error| error.to_string())
    };
    assert_eq!(decode(|c| c.most_blocks = 1 << 16).unwrap().most_blocks, 1 << 16);
    for (message, change) in cases {
        let error =
            decode(change).err().unwrap_or_else(|| panic!("accepted, where {message:?} was expected"));
        assert!(error.contains(message), "expected {message:?}, got {error:?}");
    }
}

/// Every tensor has the rows of all blocks, and there are as many blocks as the circuit allows.
#[test]
fn a_claim_has_the_rows_of_its_blocks() {
    let circuit = Circuit::decode(&encode(&samples::linked(0, 0, 0).circuit)).unwrap();
    for blocks in 1..=samples::MOST_BLOCKS {
        let claim = samples::linked_blocks(0, blocks).claim;
        for named in 0..6 {
            let statement = Statement::decode(&claim, &circuit, named);
            assert_eq!(statement.is_ok(), named == blocks, "{blocks} blocks read as {named}");
        }
        let statement = Statement::decode(&claim, &circuit, blocks).unwrap();
        let values = statement.values(0).unwrap();
        for block in 0..blocks {
            assert_eq!(statement.values_of_block(0, block).unwrap(), &values[64 * block..64 * (block + 1)]);
        }
    }
    let two = samples::linked_blocks(0, 2);
    type Change = fn(&mut StatedTensor);
    let changes: [(&str, Change); 4] = [
        ("a row less", |tensor| tensor.rows -= 1),
        ("a block more", |tensor| tensor.rows = 3),
        ("a value less", |tensor| tensor.values = Some(vec![0])),
        ("a value more", |tensor| tensor.values.as_mut().unwrap().push(0)),
    ];
    for (what, change) in changes {
        let claim = two.stating(|part| change(&mut part.outputs[0])).claim;
        assert!(Statement::decode(&claim, &circuit, 2).is_err(), "{what}");
    }
}

#[test]
fn gather_sources_are_checked() {
    type Change = fn(&mut proto::Gather);
    let cases: Vec<(&str, Change)> = vec![
        ("does not exist", |gather| gather.sources[0].table = 7),
        ("of phase", |gather| gather.sources[0].column = 0),
        ("fewer rows", |gather| gather.sources[0].rows = 129),
        ("out of order", |gather| gather.sources.push(gather.sources[0])),
        ("more than fixed columns", |gather| gather.index += 1),
    ];
    for (message, change) in cases {
        let error = decode(|circuit| {
            let columns = &mut circuit.tables[1].columns;
            let gathers = columns.iter_mut().filter_map(|column| match &mut column.generator {
                Some(Generator::Gather(gather)) => Some(gather),
                _ => None,
            });
            gathers.for_each(change);
        })
        .err()
        .unwrap_or_else(|| panic!("accepted, where {message:?} was expected"));
        assert!(error.contains(message), "expected {message:?}, got {error:?}");
    }
}

#[test]
fn fill_order_puts_sources_first() {
    let circuit = decode(|_| {}).unwrap();
    let batches = fill_order(&circuit, 2).unwrap();
    let batch_of = |name: &str| {
        batches.iter().position(|batch| batch.iter().any(|&(t, c)| circuit.tables[t].columns[c].name == name))
    };
    assert!(batch_of("horner").unwrap() < batch_of("gathered").unwrap());
}

#[test]
fn a_schedule_lists_operands_before_users_once() {
    let circuit = decode(|_| {}).unwrap();
    let roots: Vec<u32> = circuit.tables[0].constraints.iter().map(|constraint| constraint.node).collect();
    let order = schedule(&circuit, &roots);
    let mut place = vec![None; circuit.nodes.len()];
    for (index, &node) in order.iter().enumerate() {
        assert_eq!(place[node as usize].replace(index), None);
        assert!(circuit.nodes[node as usize].operands().all(|operand| place[operand as usize].is_some()));
    }
    assert!(roots.iter().all(|&root| place[root as usize].is_some()));
}

#[test]
fn column_files_must_fit() {
    let sample = samples::everything();
    let (circuit, _) = sample.decode();
    let path = std::env::temp_dir().join(format!("lindero-columns-{}", std::process::id()));
    let trace = &sample.traces[0];
    std::fs::write(&path, trace).unwrap();
    let file = ColumnFile::open(&path, &circuit, 1).unwrap();
    let first = circuit.tables[0].columns_of_phase(1).start;
    assert_eq!(file.column(0, first).len(), 128);
    let words: Vec<u8> = file.column(0, first).iter().flat_map(|word| word.to_le_bytes()).collect();
    assert_eq!(words, trace[..512]);
    std::fs::write(&path, &trace[1..]).unwrap();
    assert!(ColumnFile::open(&path, &circuit, 1).is_err());
    std::fs::remove_file(&path).unwrap();
}

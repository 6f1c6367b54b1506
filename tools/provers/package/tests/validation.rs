//! Circuits that break a rule are refused, with a message that says which.

use std::sync::Arc;

use lindero_package::proto::{self, column::Generator, node::Op};
use lindero_package::{
    encode, fill_order, schedule, Bundle, Circuit, ColumnFile, StatedTensor, Statement, Work,
};
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
fn exports_are_checked() {
    type Change = fn(&mut proto::Circuit);
    fn export(circuit: &mut proto::Circuit, name: &str) {
        circuit.sum_groups.iter_mut().find(|group| group.name == name).unwrap().exported = true;
    }
    let cases: Vec<(&str, Change)> = vec![
        ("has no claimed sum", |c| {
            c.sum_groups.push(proto::SumGroup { name: "empty".into(), exported: true });
        }),
        ("has a public tensor", |c| export(c, "state")),
        // A sum under a challenge of phase 2, which another block does not have.
        ("of an exported group in phase 3", |c| export(c, "range")),
    ];
    let decode = |change: Change| {
        let mut circuit = samples::linked(0, 0, 0).circuit;
        change(&mut circuit);
        Circuit::decode(&encode(&circuit)).map_err(|error| error.to_string())
    };
    assert!(decode(|_| {}).is_ok());
    for (message, change) in cases {
        let error =
            decode(change).err().unwrap_or_else(|| panic!("accepted, where {message:?} was expected"));
        assert!(error.contains(message) && error.contains("F19"), "expected {message:?}, got {error:?}");
    }
}

#[test]
fn bundles_are_checked() {
    type Change = fn(&mut proto::Bundle);
    let sample = samples::network(0, 0, 0);
    let circuits: Vec<Arc<Circuit>> =
        sample.decode_bundle().members.iter().map(|member| member.circuit.clone()).collect();
    let cases: Vec<(&str, Change)> = vec![
        ("F1: bundle format 2", |b| b.format = 2),
        ("F34: a bundle has 0 members", |b| b.members.clear()),
        ("F34: \"\" cannot be", |b| b.members[0].name.clear()),
        ("F34: \"../x\" cannot be", |b| b.members[0].name = "../x".into()),
        ("F34: \".x\" cannot be", |b| b.members[0].name = ".x".into()),
        ("cannot be the name", |b| b.members[0].name = "x".repeat(65)),
        ("F34: two members have the name sums", |b| b.members[0].name = "sums".into()),
        ("has circuit 9", |b| b.members[2].circuit = 9),
        ("out of order", |b| b.members.swap(0, 1)),
        ("F34: 1 circuits are of no member", |b| {
            b.members.pop();
            b.links.drain(1..3);
        }),
        // The two would have the same public tensors.
        ("is another member's, too", |b| b.members[1].circuit = 0),
        ("F35: link 0 names group 1 of member 3", |b| b.links[0].ends[0].member = 3),
        ("F35: link 0 names group 99", |b| b.links[0].ends[0].group = 99),
        ("does not exist or is not exported", |b| b.links[0].ends[0].group = 0),
        ("is an end of two links", |b| b.links[1].ends[0] = b.links[0].ends[0]),
        ("is an end of two links", |b| {
            let end = b.links[0].ends[0];
            b.links[0].ends.push(end);
        }),
        ("F35: link 0 has 1 ends", |b| b.links[0].ends.truncate(1)),
        ("F35: link 1 has 4 ends", |b| {
            let more = b.links.remove(2).ends;
            b.links[1].ends.extend(more);
        }),
        ("F35: link 4 has 0 ends", |b| b.links.push(proto::Link::default())),
        ("says nothing of the step itself", |b| b.links[3].ends[0].before = true),
        ("F36: a bundle of 3 members, with links", |b| b.most_steps = 0),
        ("cannot have up to 1 steps", |b| b.most_steps = 1),
        ("cannot have up to 21846 steps", |b| b.most_steps = 21846),
        ("F36: a bundle of 3 members, without links", |b| b.links[3].ends[1].before = false),
    ];
    let check = |bundle: &proto::Bundle| Bundle::new(bundle, &circuits).map_err(|error| error.to_string());
    for (message, change) in cases {
        let mut bundle = sample.bundle.clone();
        change(&mut bundle);
        let error =
            check(&bundle).err().unwrap_or_else(|| panic!("accepted, where {message:?} was expected"));
        assert!(error.contains(message), "expected {message:?}, got {error:?}");
    }
    let most = check(&proto::Bundle { most_steps: 21845, ..sample.bundle.clone() }).unwrap();
    assert_eq!((most.most_steps, most.most_blocks()), (21845, 65535));
    assert_eq!(most.challenges, ["za", "zr", "zc", "edge", "range"]);
    assert_eq!(*most.members[1].shared, [(0, 4), (1, 3), (2, 0), (3, 1), (4, 2)]);
    assert_eq!(most.members[1].publics, 1..2);
    // The sums of link 3 are of the second member, in one step and the next.
    let completes: Vec<Vec<usize>> = most.members.iter().map(|member| member.completes.clone()).collect();
    assert_eq!(completes, [vec![], vec![0, 3], vec![1, 2]]);
    assert_eq!(most.members.iter().map(|member| member.linked.len()).collect::<Vec<_>>(), [2, 4, 2]);
    // A group that no link names sums to zero by itself.
    assert!(
        check(&proto::Bundle { links: sample.bundle.links[1..].to_vec(), ..sample.bundle.clone() }).is_ok()
    );
}

/// What is decoded grows with the bytes that are read, not with members times parts.
#[test]
fn members_of_one_circuit_share_what_is_its() {
    let mut circuit = Circuit::clone(&samples::network(0, 0, 0).decode_bundle().members[0].circuit);
    circuit.publics.clear();
    circuit.challenges =
        (0..4096).map(|index| proto::Challenge { name: index.to_string(), phase: 1 }).collect();
    let parts = circuit.tables.len() + circuit.challenges.len() + circuit.sum_groups.len();
    let circuits = [Arc::new(circuit)];
    let of = |count: usize| {
        let member = |index: usize| proto::Member { name: index.to_string(), circuit: 0 };
        let members = (0..count).map(member).collect();
        Bundle::new(&proto::Bundle { format: 1, members, links: Vec::new(), most_steps: 1 }, &circuits)
    };
    let most = (1 << 24) / parts;
    let bundle = of(most).unwrap();
    assert_eq!((bundle.members.len(), bundle.challenges.len()), (most, 4096));
    assert!(bundle.members.iter().all(|member| Arc::ptr_eq(&member.shared, &bundle.members[0].shared)));
    let error = of(most + 1).unwrap_err().to_string();
    assert!(error.contains("F34: tables, challenges and sum groups of all members"), "{error}");
}

#[test]
fn circuits_of_a_bundle_have_one_limit_of_work() {
    let mut circuit = Circuit::decode(&encode(&samples::everything().circuit)).unwrap();
    assert!(circuit.work > 0);
    let mut work = Work::default();
    circuit.work = 1 << 25;
    work.count(&circuit).unwrap();
    work.count(&circuit).unwrap();
    circuit.work = 1;
    assert!(work.count(&circuit).unwrap_err().to_string().contains("F26: "));
}

/// Every tensor has the rows of all steps, and there are as many steps as the bundle allows.
#[test]
fn a_claim_has_the_rows_of_its_steps() {
    let bundle = samples::linked(0, 0, 0).decode_bundle();
    for steps in 1..=samples::MOST_BLOCKS {
        let claim = samples::linked_blocks(0, steps).claim;
        let statement = Statement::decode(&claim, &bundle).unwrap();
        assert_eq!(statement.steps(), steps);
        let values = statement.values(0).unwrap();
        for step in 0..steps {
            let stated = statement.at(&bundle, 0, step);
            assert_eq!(stated.values(0).unwrap(), &values[64 * step..64 * (step + 1)]);
        }
        let claim = samples::network_steps(0, steps).claim;
        let network = samples::network(0, 0, 0).decode_bundle();
        let statement = Statement::decode(&claim, &network).unwrap();
        for step in 0..steps {
            assert_eq!(statement.at(&network, 0, step).values(0).unwrap().len(), 64);
            assert_eq!(
                statement.at(&network, 1, step).values(0).unwrap(),
                &statement.values(1).unwrap()[step..step + 1]
            );
        }
    }
    let many = samples::linked_blocks(0, samples::MOST_BLOCKS + 1).claim;
    assert!(Statement::decode(&many, &bundle).unwrap_err().to_string().contains("the key allows 1 to 4"));
    let two = samples::linked_blocks(0, 2);
    type Change = fn(&mut StatedTensor);
    let changes: [(&str, Change); 4] = [
        ("a row less", |tensor| tensor.rows -= 1),
        ("a step more", |tensor| tensor.rows = 3),
        ("a value less", |tensor| tensor.values = Some(vec![0])),
        ("a value more", |tensor| tensor.values.as_mut().unwrap().push(0)),
    ];
    for (what, change) in changes {
        let claim = two.stating(|part| change(&mut part.outputs[0])).claim;
        assert!(Statement::decode(&claim, &bundle).is_err(), "{what}");
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

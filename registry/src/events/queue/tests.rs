use std::io::Write as _;

use proptest::prelude::*;

use super::*;

const PLENTY: Bounds = Bounds {
    events: 1000,
    bytes: 1 << 20,
};

fn open(directory: &Path) -> Queue {
    claim(directory, PLENTY).unwrap()
}

fn first(queue: &Queue) -> Option<String> {
    let (_, line) = queue.first()?;
    Some(String::from_utf8(line.unwrap()).unwrap())
}

/// Takes out all that waits.
fn drain(queue: &mut Queue) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some((position, line)) = queue.first() {
        lines.push(String::from_utf8(line.unwrap()).unwrap());
        queue.remove(position).unwrap();
    }
    assert_eq!(queue.len(), 0);
    assert_eq!(queue.waiting_bytes, 0);
    lines
}

fn last_segment(directory: &Path) -> PathBuf {
    let place = directory.join("0");
    let number = *segment::numbers(&place).unwrap().last().unwrap();
    place.join(format!("{number:020}.jsonl"))
}

#[test]
fn lines_come_out_in_the_order_in_which_they_went_in() {
    let root = tempfile::tempdir().unwrap();
    let mut queue = open(root.path());
    assert_eq!(first(&queue), None);
    for line in ["one", "two", "three"] {
        assert_eq!(queue.append(line.as_bytes()).unwrap(), 0);
    }
    assert_eq!(queue.len(), 3);
    queue.unsynced().sync().unwrap();
    assert_eq!(drain(&mut queue), ["one", "two", "three"]);
    queue.append(b"four").unwrap();
    assert_eq!(drain(&mut queue), ["four"]);
}

#[test]
fn what_waits_is_there_after_a_restart_and_what_was_sent_is_not() {
    let root = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let mut queue = open(root.path());
        if round > 0 {
            assert_eq!(first(&queue).unwrap(), format!("kept {}", round - 1));
        }
        drain(&mut queue);
        queue.append(b"sent").unwrap();
        let (position, _) = queue.first().unwrap();
        queue.append(format!("kept {round}").as_bytes()).unwrap();
        queue.remove(position).unwrap();
    }
    // Nothing piles up.
    drop(open(root.path()));
    assert!(segment::numbers(&root.path().join("0")).unwrap().len() <= 2);
}

#[test]
fn a_line_is_not_removed_in_the_place_of_one_that_was_dropped() {
    let root = tempfile::tempdir().unwrap();
    let bounds = Bounds {
        events: 2,
        bytes: 1 << 20,
    };
    let mut queue = claim(root.path(), bounds).unwrap();
    queue.append(b"one").unwrap();
    let (position, _) = queue.first().unwrap();
    queue.append(b"two").unwrap();
    assert_eq!(queue.append(b"three").unwrap(), 1);
    queue.remove(position).unwrap();
    assert_eq!(drain(&mut queue), ["two", "three"]);
}

#[test]
fn neither_number_nor_bytes_go_beyond_their_bounds() {
    let root = tempfile::tempdir().unwrap();
    let bounds = Bounds {
        events: 1000,
        bytes: 100,
    };
    let mut queue = claim(root.path(), bounds).unwrap();
    let dropped: usize = (0..100)
        .map(|n| queue.append(format!("line {n:04}").as_bytes()).unwrap())
        .sum();
    assert_eq!(dropped, 90);
    assert_eq!(queue.len(), 10);
    assert_eq!(first(&queue).unwrap(), "line 0090");
    // One that is larger than the queue is alone in it.
    assert_eq!(queue.append(&[b'x'; 200]).unwrap(), 10);
    assert_eq!(queue.len(), 1);
}

#[test]
fn files_go_when_what_they_held_is_gone() {
    let root = tempfile::tempdir().unwrap();
    let mut queue = open(root.path());
    let line = "x".repeat(1000);
    for _ in 0..500 {
        queue.append(line.as_bytes()).unwrap();
    }
    let place = root.path().join("0");
    assert!(segment::numbers(&place).unwrap().len() > 3);
    assert_eq!(drain(&mut queue).len(), 500);
    assert_eq!(segment::numbers(&place).unwrap().len(), 1);
    // A queue that is emptied again and again needs no room either.
    for _ in 0..2000 {
        queue.append(line.as_bytes()).unwrap();
        drain(&mut queue);
    }
    let numbers = segment::numbers(&place).unwrap();
    assert_eq!(numbers.len(), 1);
    let size = fs::metadata(last_segment(root.path())).unwrap().len();
    assert!(size <= 200_000, "{size}");
}

#[test]
fn a_torn_line_is_removed_and_the_rest_kept() {
    let root = tempfile::tempdir().unwrap();
    let mut queue = open(root.path());
    queue.append(b"whole").unwrap();
    drop(queue);
    let segment = last_segment(root.path());
    let mut file = OpenOptions::new().append(true).open(segment).unwrap();
    file.write_all(b"{\"id\":\"to").unwrap();
    drop(file);
    let mut queue = open(root.path());
    queue.append(b"next").unwrap();
    drop(queue);
    assert_eq!(drain(&mut open(root.path())), ["whole", "next"]);
}

#[test]
fn a_head_that_says_nothing_has_everything_sent_again() {
    for head in [
        "",
        "garbage",
        "00000000000000000001 00000000000000000003\n",
        "1 99999999999999999999999\n",
        "1 999\n",
        "1 -1\n",
    ] {
        let root = tempfile::tempdir().unwrap();
        let mut queue = open(root.path());
        queue.append(b"one").unwrap();
        queue.append(b"two").unwrap();
        let (position, _) = queue.first().unwrap();
        queue.remove(position).unwrap();
        drop(queue);
        fs::write(root.path().join("0").join(HEAD), head).unwrap();
        assert_eq!(drain(&mut open(root.path())), ["one", "two"], "{head:?}");
    }
}

#[test]
fn a_head_that_is_ahead_of_the_files_hides_nothing_that_comes_later() {
    let root = tempfile::tempdir().unwrap();
    let mut queue = open(root.path());
    queue.append(b"lost with the power").unwrap();
    drop(queue);
    let place = root.path().join("0");
    for number in segment::numbers(&place).unwrap() {
        segment::remove_number(&place, number).unwrap();
    }
    fs::write(place.join(HEAD), "7 20\n").unwrap();
    let mut queue = open(root.path());
    queue.append(b"after it").unwrap();
    drop(queue);
    assert_eq!(drain(&mut open(root.path())), ["after it"]);
}

#[test]
fn each_process_has_a_queue_of_its_own_and_heirs_take_what_is_left() {
    let root = tempfile::tempdir().unwrap();
    let mut first = open(root.path());
    let mut second = open(root.path());
    first.append(b"of the first").unwrap();
    second.append(b"of the second").unwrap();
    assert_eq!(second.len(), 1);
    drop(second);
    let mut third = open(root.path());
    assert_eq!(drain(&mut third), ["of the second"]);
    third.append(b"of the third").unwrap();
    drop((first, third));
    let mut heir = open(root.path());
    assert_eq!(drain(&mut heir), ["of the first", "of the third"]);
    drop(heir);
    assert_eq!(open(root.path()).len(), 0);
}

#[test]
fn what_is_no_segment_is_left_alone() {
    let root = tempfile::tempdir().unwrap();
    drop(open(root.path()));
    let notes = root.path().join("0/notes.jsonl");
    let short = root.path().join("0/7.jsonl");
    for path in [&notes, &short] {
        fs::write(path, "mine\n").unwrap();
    }
    fs::create_dir(root.path().join("else")).unwrap();
    assert_eq!(open(root.path()).len(), 0);
    assert!(notes.exists() && short.exists());
}

/// What may happen to a queue.
#[derive(Debug, Clone)]
enum Step {
    Append(String),
    Remove,
    Reopen,
    /// The process dies while it writes.
    Tear(Vec<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => "[a-z]{0,300}".prop_map(Step::Append),
        3 => Just(Step::Remove),
        1 => Just(Step::Reopen),
        1 => proptest::collection::vec(any::<u8>().prop_filter("no end", |b| *b != b'\n'), 0..50)
            .prop_map(Step::Tear),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever happens, it is a list with bounds.
    #[test]
    fn it_is_a_bounded_list(steps in proptest::collection::vec(step(), 0..100)) {
        let root = tempfile::tempdir().unwrap();
        let bounds = Bounds { events: 20, bytes: 2000 };
        let mut queue = Some(claim(root.path(), bounds).unwrap());
        let mut model = VecDeque::<String>::new();
        for step in steps {
            let open = queue.as_mut().unwrap();
            match step {
                Step::Append(line) => {
                    open.append(line.as_bytes()).unwrap();
                    model.push_back(line);
                    while model.len() > 20
                        || model.iter().map(|line| line.len() + 1).sum::<usize>() > 2000
                    {
                        model.pop_front();
                    }
                }
                Step::Remove => {
                    if let Some((position, line)) = open.first() {
                        prop_assert_eq!(line.unwrap(), model.pop_front().unwrap().into_bytes());
                        open.remove(position).unwrap();
                    }
                }
                Step::Reopen => {
                    drop(queue.take());
                    queue = Some(claim(root.path(), bounds).unwrap());
                }
                Step::Tear(bytes) => {
                    drop(queue.take());
                    let mut file =
                        OpenOptions::new().append(true).open(last_segment(root.path())).unwrap();
                    file.write_all(&bytes).unwrap();
                    queue = Some(claim(root.path(), bounds).unwrap());
                }
            }
            prop_assert_eq!(queue.as_ref().unwrap().len(), model.len());
        }
        let mut queue = queue.unwrap();
        prop_assert_eq!(drain(&mut queue), Vec::from(model));
    }

    /// Whatever is in the files, they can be opened, and be used afterwards.
    #[test]
    fn any_content_is_opened(segment: Vec<u8>, head: Vec<u8>) {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("0");
        fs::create_dir(&place).unwrap();
        fs::write(place.join(format!("{:020}.jsonl", 1)), segment).unwrap();
        fs::write(place.join(HEAD), head).unwrap();
        let mut queue = open(root.path());
        queue.append(b"next").unwrap();
        let mut last = None;
        while let Some((position, line)) = queue.first() {
            last = Some(line.unwrap());
            queue.remove(position).unwrap();
        }
        prop_assert_eq!(last.unwrap(), b"next");
    }
}

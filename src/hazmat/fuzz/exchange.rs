//! Members talk to each other.

use crate::keystore::{Error, Protocol, Run};
use crate::wire::Message;

/// What a member got, and what it failed with.
pub(super) type Got<P> = (Option<<P as Protocol>::Output>, Option<Error>);

/// Nothing is changed.
pub(super) fn honestly(message: &Message) -> Vec<Message> {
    vec![message.clone()]
}

/// Hands messages around; what the member with the number `liar` says in the round `lie` goes through `change`. What each of
/// the others got.
pub(super) fn exchange<P: Protocol>(
    runs: &mut [Run<P>],
    liar: u16,
    lie: Option<u8>,
    change: &mut dyn FnMut(&Message) -> Vec<Message>,
) -> Vec<Got<P>> {
    let mut got: Vec<Got<P>> = runs.iter().map(|_| (None, None)).collect();
    loop {
        let mut said = Vec::new();
        for (number, run) in (1..).zip(runs.iter_mut()) {
            let lies = |message: &Message| number == liar && lie == Some(message.round());
            while let Some(message) = run.poll_transmit() {
                said.push((number, if lies(&message) { change(&message) } else { vec![message] }));
            }
        }
        if said.is_empty() {
            return (1..).zip(got).filter(|(number, _)| *number != liar).map(|(_, got)| got).collect();
        }
        for (from, messages) in said {
            for ((_, run), got) in (1_u16..).zip(runs.iter_mut()).zip(&mut got).filter(|((to, _), _)| *to != from) {
                for message in &messages {
                    hear(run, message, got);
                }
            }
        }
    }
}

fn hear<P: Protocol>(run: &mut Run<P>, message: &Message, (output, failure): &mut Got<P>) {
    match run.handle(message) {
        Ok(()) | Err(Error::Rejected(_)) => {}
        Err(error) => *failure = failure.take().or(Some(error)),
    }
    *output = run.poll_output().or(output.take());
}

/// Hands messages around as they are, until all have what they wanted: all that was said.
pub(super) fn record<P: Protocol>(runs: &mut [Run<P>]) -> Vec<Message> {
    let mut record = Vec::new();
    let mut done = 0;
    loop {
        let said: Vec<_> = runs.iter_mut().flat_map(|run| std::iter::from_fn(|| run.poll_transmit())).collect();
        if said.is_empty() {
            assert_eq!(done, runs.len(), "honest members come to an end");
            return record;
        }
        for (number, run) in (1..).zip(runs.iter_mut()) {
            for message in said.iter().filter(|message| message.sender().get() != number) {
                match run.handle(message) {
                    // What it does not need any more.
                    Ok(()) | Err(Error::Rejected(_)) => {}
                    Err(error) => panic!("honest members break no run: {error}"),
                }
                done += usize::from(run.poll_output().is_some());
            }
        }
        record.extend(said);
    }
}

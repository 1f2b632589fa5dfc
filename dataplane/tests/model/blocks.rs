//! Port blocks, of which the engine tells by events.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use pinhole_dataplane::config::nat::Allocation;
use pinhole_dataplane::engine::Event;
use pinhole_dataplane::nat::PortBlock;

use crate::driver::Driver;
use crate::reference::Block;

impl Driver<'_> {
    /// Takes note of what the engine tells of port blocks.
    pub(crate) fn hear(&mut self, now: u64) -> Result<(), String> {
        self.model.blocks.retain(|_, block| block.may_be_owned(now));
        while let Some(event) = self.engine.poll_event() {
            if let Event::PortBlockAllocated(block) = event {
                self.allocated(block)?;
            } else if let Event::PortBlockReleased(block) = event {
                self.released(block, now)?;
            }
        }
        Ok(())
    }

    fn allocated(&mut self, block: PortBlock) -> Result<(), String> {
        let Allocation::Blocks(rule) = self.model.config.nat.allocation else {
            return Err(format!("{block:?} where there are no blocks"));
        };
        let place = (block.outside, block.ports.first());
        let fresh = Block { owner: block.subscriber, held: None };
        let before = self.model.blocks.insert(place, fresh);
        let now = self.model.now;
        if let Some(before) = before.filter(|before| before.is_surely_owned(now)) {
            let again = before.owner == block.subscriber && before.held.is_some();
            return if again { Ok(()) } else { Err(format!("{block:?} is given out, and was {before:?}")) };
        }
        let own = self.model.blocks.values().filter(|other| other.owner == block.subscriber);
        let own = own.filter(|other| other.is_surely_owned(now)).count();
        if own > usize::from(rule.per_subscriber) || block.ports.count() != u32::from(rule.size.ports()) {
            return Err(format!("{block:?} is given to somebody with {own} blocks"));
        }
        Ok(())
    }

    fn released(&mut self, block: PortBlock, now: u64) -> Result<(), String> {
        let Allocation::Blocks(rule) = self.model.config.nat.allocation else {
            return Err(format!("{block:?} where there are no blocks"));
        };
        let Some(known) = self.model.blocks.get_mut(&(block.outside, block.ports.first())) else {
            return Err(format!("{block:?} is given back, and was nobody's"));
        };
        if known.owner != block.subscriber || known.held.is_some() {
            return Err(format!("{block:?} is given back, and was {known:?}"));
        }
        let hold = u64::try_from(rule.hold.as_nanos()).unwrap();
        known.held = Some((now + hold, now + 2 * hold));
        Ok(())
    }

    /// Compares who has blocks, and so who is remembered.
    pub(crate) fn compare_blocks(&self) -> Result<(), String> {
        for (place, block) in self.model.blocks.iter().filter(|(_, block)| block.held.is_none()) {
            let used = self.model.mappings.iter().any(|(key, outside)| {
                key.1.0 == block.owner && outside.0 == place.0 && (place.1..place.1 + 64).contains(&outside.1)
            });
            if !used {
                return Err(format!("the block at {place:?} is in use by nothing: {block:?}"));
            }
        }
        let now = self.model.now;
        let hosts = |counts: &dyn Fn(&Block) -> bool| {
            let of_blocks = self.model.blocks.values().filter(|block| counts(block)).map(|block| block.owner);
            self.model
                .mappings
                .keys()
                .map(|key| key.1.0)
                .chain(of_blocks)
                .collect::<BTreeSet<Ipv4Addr>>()
                .len()
        };
        let (least, most) =
            (hosts(&|block| block.is_surely_owned(now)), hosts(&|block| block.may_be_owned(now)));
        let subscribers = self.engine.subscriber_count();
        if (least..=most).contains(&subscribers) {
            Ok(())
        } else {
            Err(format!("{subscribers} subscribers instead of {least} to {most}"))
        }
    }
}

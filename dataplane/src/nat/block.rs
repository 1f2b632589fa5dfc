//! The blocks of ports of one outside address, and who has them.

use crate::config::PortRange;
use crate::config::nat::BlockSize;
use crate::rng::Rng;
use crate::time::Timestamp;

/// No block: the end of a subscriber's list.
pub(super) const NO_BLOCK: u16 = u16::MAX;

/// The owner of blocks whose subscriber has gone to another address.
pub(super) const NOBODY: u32 = u32::MAX;

/// Who may use a block.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum BlockState {
    /// Whoever comes next.
    Free,
    /// A subscriber's, with mappings in it.
    Active,
    /// A subscriber's that has given it back, and for a while nobody else's.
    Held,
}

/// One block. Its place in the list of [`Blocks`] is its number: the block of a port is the port by the size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) state: BlockState,
    /// Whether the block waits in the queue of held ones.
    pub(super) queued: bool,
    /// Mappings of all protocols in it.
    pub(super) used: u16,
    /// The next block of the same subscriber.
    pub(super) next: u16,
    /// The subscriber that has it, by its slot.
    pub(super) owner: u32,
    /// Until when it is held.
    pub(super) held_until: Timestamp,
}

const FREE: Block = Block {
    state: BlockState::Free,
    queued: false,
    used: 0,
    next: NO_BLOCK,
    owner: 0,
    held_until: Timestamp::ZERO,
};

/// The blocks of one address.
#[derive(Debug)]
pub(super) struct Blocks {
    size: BlockSize,
    usable: PortRange,
    blocks: Vec<Block>,
    /// The free ones, in no order.
    free: Vec<u16>,
}

impl Blocks {
    /// Cuts an address's ports into blocks; what is left at the ends is nobody's.
    pub(super) fn new(size: BlockSize, usable: PortRange) -> Self {
        let count = 65_536 / usize::from(size.ports());
        let mut blocks = Self { size, usable, blocks: vec![FREE; count], free: Vec::with_capacity(count) };
        blocks.set_usable(usable);
        blocks
    }

    pub(super) fn size(&self) -> BlockSize {
        self.size
    }

    /// Changes which ports may be given out. Blocks beyond them stay with those who have them.
    pub(super) fn set_usable(&mut self, usable: PortRange) {
        self.usable = usable;
        self.free.clear();
        for (number, block) in (0_u16..).zip(&self.blocks) {
            if block.state == BlockState::Free && is_within(self.size, number, usable) {
                self.free.push(number);
            }
        }
    }

    /// Returns the ports of a block.
    pub(super) fn range(&self, number: u16) -> Option<PortRange> {
        range(self.size, number)
    }

    /// Returns the number of the block that a port is in.
    pub(super) fn number_of(&self, port: u16) -> u16 {
        port / self.size.ports()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Block> {
        self.blocks.iter()
    }

    pub(super) fn block(&self, number: u16) -> Option<&Block> {
        self.blocks.get(usize::from(number))
    }

    pub(super) fn block_mut(&mut self, number: u16) -> Option<&mut Block> {
        self.blocks.get_mut(usize::from(number))
    }

    /// Gives a free block whose ports will do to a subscriber, any of them with about equal chance (RFC 6888, REQ-15).
    pub(super) fn take(
        &mut self,
        owner: u32,
        next: u16,
        rng: &mut Rng,
        mut will_do: impl FnMut(PortRange) -> bool,
    ) -> Option<u16> {
        let count = u32::try_from(self.free.len()).ok().filter(|&count| count > 0)?;
        let start = usize::try_from(rng.below(count)).ok()?;
        // Nearly always the first one: a block will not do only where static forwards have all of its ports.
        let mut places = (start..self.free.len()).chain(0..start);
        let size = self.size;
        let place = places.find(|&place| {
            self.free.get(place).and_then(|&number| range(size, number)).is_some_and(&mut will_do)
        })?;
        let number = self.free.swap_remove(place);
        let block = self.block_mut(number)?;
        *block = Block { state: BlockState::Active, used: 0, next, owner, ..*block };
        Some(number)
    }

    /// Makes a block free again.
    pub(super) fn put_back(&mut self, number: u16) {
        let (size, usable) = (self.size, self.usable);
        if let Some(block) = self.block_mut(number) {
            *block = Block { queued: block.queued, ..FREE };
            if is_within(size, number, usable) {
                self.free.push(number);
            }
        }
    }
}

fn range(size: BlockSize, number: u16) -> Option<PortRange> {
    let first = number.checked_mul(size.ports())?;
    PortRange::new(first, first + (size.ports() - 1))
}

fn is_within(size: BlockSize, number: u16, usable: PortRange) -> bool {
    range(size, number).is_some_and(|range| usable.contains(range.first()) && usable.contains(range.last()))
}

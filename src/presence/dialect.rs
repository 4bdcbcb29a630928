//! The dialects: the three families of wire formats that clients speak. The formats themselves are in `dialect/`.

/// A family of wire formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Nakama's realtime protocol.
    Nakama,
    /// Centrifugo's client protocol.
    Centrifugo,
    /// Tencent Chat's user status, in JSON-RPC 2.0.
    Tencent,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 3] = [Self::Nakama, Self::Centrifugo, Self::Tencent];

    /// Returns the dialect's name in configuration, metrics and replies.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nakama => "nakama",
            Self::Centrifugo => "centrifugo",
            Self::Tencent => "tencent",
        }
    }

    /// Returns the number that stands for the dialect in records shared between nodes; never 0.
    pub fn number(self) -> u32 {
        match self {
            Self::Nakama => 1,
            Self::Centrifugo => 2,
            Self::Tencent => 3,
        }
    }

    /// Returns the dialect with this number, or `None` for a number that this version does not know.
    pub fn numbered(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.number() == number)
    }
}

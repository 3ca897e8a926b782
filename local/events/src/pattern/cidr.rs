//! `{"cidr": "10.0.0.0/24"}`.

use std::net::IpAddr;

/// A block of addresses. It begins at the address as written, not at the block's first: that is how AWS's own matcher reads
/// `10.0.0.7/24`. Source: <https://github.com/aws/event-ruler>, `CIDR`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cidr {
    first: IpAddr,
    last: IpAddr,
}

impl Cidr {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.split('/');
        let (Some(address), Some(bits), None) = (parts.next(), parts.next(), parts.next()) else {
            return Err("Malformed CIDR, one '/' required".into());
        };
        let bits: i32 = bits.parse().map_err(|_| "Malformed CIDR, mask bits must be an integer".to_owned())?;
        let bits = u32::try_from(bits).map_err(|_| "Malformed CIDR, mask bits must not be negative".to_owned())?;
        let first: IpAddr = address.parse().map_err(|_| format!("Nonstandard IP address: {address}"))?;
        let last = match first {
            IpAddr::V4(_) if bits > 31 => return Err("IPv4 mask bits must be < 32".into()),
            IpAddr::V6(_) if bits > 127 => return Err("IPv6 mask bits must be < 128".into()),
            IpAddr::V4(address) => IpAddr::from((address.to_bits() | (u32::MAX >> bits)).to_be_bytes()),
            IpAddr::V6(address) => IpAddr::from((address.to_bits() | (u128::MAX >> bits)).to_be_bytes()),
        };
        Ok(Self { first, last })
    }

    pub(super) fn contains(&self, text: &str) -> bool {
        let Ok(address) = text.parse::<IpAddr>() else { return false };
        address.is_ipv4() == self.first.is_ipv4() && self.first <= address && address <= self.last
    }
}

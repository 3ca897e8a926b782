//! MediaPackage VOD: its API, and the packager that answers its egress URLs just in time.
//!
//! An asset is ingested once: the source's playlists are read and its transport stream segments scanned, and what the
//! packager needs to know of them (the facts) is stored. From then on every playlist and segment of every packaging
//! configuration is made on request, in memory, from the facts and the source's own files; nothing is written.
//!
//! | module | what it does |
//! |---|---|
//! | `api` | the operations of the API |
//! | `model` | what they take and give |
//! | `table` | the rows behind them |
//! | `ingest` | takes assets from QUEUED to PLAYABLE or FAILED, and tells the bus |
//! | `source` | reads a source: playlists, then segments |
//! | `playlist`, `ts`, `codec` | the formats a source consists of; pure |
//! | `presentation` | an asset as one configuration gives it out; pure |
//! | `hls`, `cmaf`, `dash` | write HLS with transport streams, HLS with fragmented MP4, and DASH; pure |
//! | `fmp4` | writes fragmented MP4; pure |
//! | `egress` | answers the egress URLs, behind CDN authorization (`authorization`) |

mod api;
mod authorization;
mod cmaf;
mod codec;
mod dash;
mod egress;
mod facts;
mod fmp4;
mod hls;
mod ingest;
mod model;
mod playlist;
mod presentation;
mod service;
mod source;
mod table;
mod ts;

pub use service::{Config, Error, Packager};

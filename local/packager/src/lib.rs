//! MediaPackage VOD: its API, and the packager that answers its egress URLs just in time.
//!
//! An asset is ingested once: the source's manifests are read and its media scanned, and what the packager
//! needs to know of them (the facts) is stored. From then on every playlist and segment of every packaging
//! configuration is made on request, in memory, from the facts and the source's own files; nothing is written.
//!
//! | module | what it does |
//! |---|---|
//! | `api` | the operations of the API |
//! | `model` | what they take and give |
//! | `table` | the rows behind them |
//! | `ingest` | takes assets from QUEUED to PLAYABLE or FAILED, and tells the bus |
//! | `source` | reads a source, once: an HLS presentation, or a SMIL set of MP4 files |
//! | `playlist`, `smil`, `ts`, `mp4`, `captions`, `codec` | the formats a source consists of; pure |
//! | `facts` | what is known of a source |
//! | `presentation` | an asset as one configuration gives it out; pure |
//! | `hls`, `dash` | write manifests; pure |
//! | `filter` | `aws.manifestfilter`; pure |
//! | `fmp4`, `mux` | write fragmented MP4 and transport streams; pure |
//! | `build` | makes a segment from the source's files |
//! | `egress` | answers the egress URLs, behind CDN authorization (`authorization`) |

mod api;
mod authorization;
mod build;
mod captions;
mod codec;
mod dash;
mod egress;
mod facts;
mod filter;
mod fmp4;
mod hls;
mod ingest;
mod model;
mod mp4;
mod mux;
mod playlist;
mod presentation;
mod service;
mod smil;
mod source;
mod table;
mod ts;

pub use service::{Config, Error, Packager};

//! Perfetto's protobuf: track descriptors, then slices by their begin and end, one turn a microsecond.
//!
//! The messages below are the few fields of `perfetto/trace/trace.proto` that are written here, by their numbers.

use prost::Message;

use super::spans::{Picture, Span};
use crate::report::rows::Rows;

const SEQUENCE: u32 = 1;
const TURN_NS: u64 = 1_000;
const SLICE_BEGIN: i32 = 1;
const SLICE_END: i32 = 2;
const INSTANT: i32 = 3;
/// Tracks have numbers of their own; 0 would be the default track.
const TRACK_BASE: u64 = 1_000;

#[derive(Clone, PartialEq, Message)]
struct TraceProto {
    #[prost(message, repeated, tag = "1")]
    packet: Vec<Packet>,
}

#[derive(Clone, PartialEq, Message)]
struct Packet {
    #[prost(uint64, optional, tag = "8")]
    timestamp: Option<u64>,
    #[prost(uint32, optional, tag = "10")]
    trusted_packet_sequence_id: Option<u32>,
    #[prost(message, optional, tag = "11")]
    track_event: Option<TrackEvent>,
    #[prost(uint32, optional, tag = "13")]
    sequence_flags: Option<u32>,
    #[prost(message, optional, tag = "60")]
    track_descriptor: Option<TrackDescriptor>,
}

#[derive(Clone, PartialEq, Message)]
struct TrackEvent {
    #[prost(int32, optional, tag = "9")]
    kind: Option<i32>,
    #[prost(uint64, optional, tag = "11")]
    track_uuid: Option<u64>,
    #[prost(string, repeated, tag = "22")]
    categories: Vec<String>,
    #[prost(string, optional, tag = "23")]
    name: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct TrackDescriptor {
    #[prost(uint64, optional, tag = "1")]
    uuid: Option<u64>,
    #[prost(string, optional, tag = "2")]
    name: Option<String>,
    #[prost(uint64, optional, tag = "5")]
    parent_uuid: Option<u64>,
}

/// The trace as Perfetto's bytes.
#[must_use]
pub fn perfetto(rows: &Rows) -> Vec<u8> {
    let picture = Picture::new(rows);
    let mut packet: Vec<Packet> = picture
        .tracks
        .iter()
        .enumerate()
        .map(|(at, track)| Packet {
            trusted_packet_sequence_id: Some(SEQUENCE),
            // The first packet of a sequence says that nothing was said before.
            sequence_flags: (at == 0).then_some(1),
            track_descriptor: Some(TrackDescriptor {
                uuid: Some(TRACK_BASE + at as u64),
                name: Some(track.name.clone()),
                parent_uuid: track.parent.map(|parent| TRACK_BASE + parent as u64),
            }),
            ..Packet::default()
        })
        .collect();
    // Ends come before begins of the same moment, and inner ends before outer ones.
    let mut events: Vec<(u64, u8, u64, Packet)> = Vec::new();
    for span in &picture.spans {
        if span.start == span.end {
            events.push((span.start, 2, 0, event(span, span.start, INSTANT)));
        } else {
            events.push((span.start, 1, u64::MAX - span.end, event(span, span.start, SLICE_BEGIN)));
            events.push((span.end, 0, u64::MAX - span.start, event(span, span.end, SLICE_END)));
        }
    }
    events.sort_by_key(|(at, order, inner, _)| (*at, *order, *inner));
    packet.extend(events.into_iter().map(|(.., packet)| packet));
    TraceProto { packet }.encode_to_vec()
}

fn event(span: &Span, turn: u64, kind: i32) -> Packet {
    let named = kind != SLICE_END;
    Packet {
        timestamp: Some(turn * TURN_NS),
        trusted_packet_sequence_id: Some(SEQUENCE),
        track_event: Some(TrackEvent {
            kind: Some(kind),
            track_uuid: Some(TRACK_BASE + span.track as u64),
            categories: if named { vec![span.category.to_string()] } else { Vec::new() },
            name: named.then(|| span.name.clone()),
        }),
        ..Packet::default()
    }
}

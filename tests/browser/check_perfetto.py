"""Parses an export with Perfetto's own messages: tracks are known, slices nest and end, names are there."""
import sys

from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TrackEvent

trace = Trace()
with open(sys.argv[1], "rb") as file:
    trace.ParseFromString(file.read())
tracks, open_slices, begun, instants, last = {}, {}, 0, 0, 0
for packet in trace.packet:
    if packet.HasField("track_descriptor"):
        descriptor = packet.track_descriptor
        assert descriptor.name, "a track without a name"
        assert not descriptor.parent_uuid or descriptor.parent_uuid in tracks, "a track before its parent"
        tracks[descriptor.uuid] = descriptor.name
    if packet.HasField("track_event"):
        event = packet.track_event
        assert event.track_uuid in tracks, "an event on no track"
        assert packet.timestamp >= last, "time goes back"
        last = packet.timestamp
        stack = open_slices.setdefault(event.track_uuid, [])
        if event.type == TrackEvent.TYPE_SLICE_BEGIN:
            assert event.name
            stack.append(event.name)
            begun += 1
        elif event.type == TrackEvent.TYPE_SLICE_END:
            assert stack, "an end without a begin"
            stack.pop()
        else:
            instants += 1
assert not any(open_slices.values()), "a slice never ends"
assert begun > 10 and len(tracks) > 3, (begun, len(tracks))
assert any(name.startswith("in flight") for name in tracks.values())
print(f"perfetto: {len(tracks)} tracks, {begun} slices, {instants} instants")

package io.pipeops.agent.protocol.yamux;

import java.nio.ByteBuffer;

/** Finds the frames in bytes that come in any pieces. Holds nothing but a begun header. */
final class FrameReader {
  /** What is done with the frames. */
  interface Sink {
    /**
     * A whole header has arrived. Lengths are to be checked here, before any payload comes.
     *
     * @return how it breaks the protocol, or null
     */
    String header(FrameHeader header);

    /** A part of a data frame's payload; the buffer is the sink's to keep. */
    void payload(FrameHeader header, ByteBuffer part);

    /** A data frame is complete. */
    void end(FrameHeader header);
  }

  private final Sink sink;
  private final ByteBuffer begun = ByteBuffer.allocate(FrameHeader.SIZE);
  private FrameHeader header;
  private long payloadLeft;

  FrameReader(Sink sink) {
    this.sink = sink;
  }

  /** Takes at least one byte; returns how the peer breaks the protocol, or null. */
  String read(ByteBuffer in) {
    if (payloadLeft > 0) {
      int n = (int) Math.min(payloadLeft, in.remaining());
      sink.payload(header, in.slice(in.position(), n));
      in.position(in.position() + n);
      payloadLeft -= n;
      finish();
      return null;
    }
    if (begun.position() == 0 && in.remaining() >= FrameHeader.SIZE) {
      header = FrameHeader.read(in);
    } else {
      int n = Math.min(begun.remaining(), in.remaining());
      begun.put(in.slice(in.position(), n));
      in.position(in.position() + n);
      if (begun.hasRemaining()) {
        return null;
      }
      header = FrameHeader.read(begun.flip());
      begun.clear();
    }
    String violation = sink.header(header);
    if (violation == null && header.type() == FrameHeader.DATA) {
      payloadLeft = header.unsigned();
      finish();
    }
    return violation;
  }

  private void finish() {
    if (payloadLeft == 0) {
      sink.end(header);
    }
  }
}

package io.pipeops.agent.protocol.yamux;

import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** Keeps what a session sends, as hexadecimal text. */
final class RecordingTransport implements YamuxTransport {
  final List<String> frames = new CopyOnWriteArrayList<>();
  volatile boolean full;
  volatile String ended;

  @Override
  public void data(int stream, ByteBuffer frame) {
    offer(frame);
  }

  @Override
  public boolean offer(ByteBuffer frame) {
    if (full) {
      return false;
    }
    byte[] bytes = new byte[frame.remaining()];
    frame.get(bytes);
    frames.add(HexFormat.of().formatHex(bytes));
    return true;
  }

  @Override
  public void ended(String reason) {
    ended = reason;
  }
}

package io.pipeops.agent.tunnel;

import io.pipeops.agent.protocol.TunnelFrame;
import java.nio.ByteBuffer;

/**
 * Between the plain terminal that a browser speaks and the channel protocol of exec and attach
 * (protocol 4.2.3 with Q57). A peer that frames its standard input itself knows channels, so from
 * then on everything passes as it is. For the stream's thread alone.
 */
final class Channels {
  private static final int STATUS = 3;

  private boolean translate;

  Channels(boolean translate) {
    this.translate = translate;
  }

  /** Whether a subprotocol carries channels in its first byte. */
  static boolean carriedBy(String protocol) {
    return protocol != null
        && !protocol.startsWith("base64.")
        && (protocol.equals("channel.k8s.io") || protocol.endsWith(".channel.k8s.io"));
  }

  TunnelFrame toTarget(TunnelFrame frame) {
    if (!translate) {
      return frame;
    }
    ByteBuffer payload = frame.payload();
    if (frame.opcode() == TunnelFrame.TEXT) {
      ByteBuffer input = ByteBuffer.allocate(1 + payload.remaining());
      return new TunnelFrame(TunnelFrame.BINARY, input.put((byte) 0).put(payload).flip());
    }
    if (frame.opcode() == TunnelFrame.BINARY && channel(payload) == 0) {
      translate = false;
    }
    return frame;
  }

  TunnelFrame toPeer(TunnelFrame frame) {
    ByteBuffer payload = frame.payload();
    if (!translate || frame.opcode() != TunnelFrame.BINARY) {
      return frame;
    }
    int channel = channel(payload);
    return channel < 0 || channel > STATUS
        ? frame
        : new TunnelFrame(TunnelFrame.TEXT, payload.position(payload.position() + 1));
  }

  private static int channel(ByteBuffer payload) {
    return payload.hasRemaining() ? payload.get(payload.position()) & 0xFF : -1;
  }
}

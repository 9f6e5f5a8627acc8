package io.pipeops.agent.tunnel;

import io.pipeops.agent.api.link.LinkLostException;
import io.pipeops.agent.protocol.Backpressure;
import io.pipeops.agent.protocol.Headers;
import io.pipeops.agent.protocol.Payload;
import io.pipeops.agent.protocol.ProtocolException;
import io.pipeops.agent.protocol.ProxyError;
import io.pipeops.agent.protocol.ProxyResponse;
import io.pipeops.agent.protocol.ProxyResponseAbort;
import io.pipeops.agent.protocol.ProxyResponseEnd;
import io.pipeops.agent.protocol.ProxyResponseHeader;
import io.pipeops.agent.protocol.TunnelFrame;
import io.pipeops.agent.protocol.WebSocketClose;
import io.pipeops.agent.protocol.WebSocketData;

/**
 * How the peer speaks about one WebSocket (protocol 4): the two kinds differ in how they begin, in
 * the fields of their frames, and in what an overflow is called.
 *
 * @param id the stream's key
 * @param kubernetes whether frames have the form of the Kubernetes kind
 * @param begin how the opening is answered
 */
record SocketDialect(String id, boolean kubernetes, Begin begin) {
  /** What the peer expects at the beginning. */
  enum Begin {
    /** Nothing but the first frame: opened by a start message. */
    SILENT,
    /** One response. */
    BUFFERED,
    /** A header and an end. */
    STREAMED
  }

  /** Tells that the target has accepted. */
  void opened(Sender sender, Headers answer) throws Failure, LinkLostException {
    if (begin == Begin.SILENT) {
      return;
    }
    Headers headers = answer.with("Upgrade", "websocket").with("Connection", "Upgrade");
    if (begin == Begin.BUFFERED) {
      sender.send(new ProxyResponse(101, headers));
    } else {
      sender.send(new ProxyResponseHeader(101, headers));
      sender.send(new ProxyResponseEnd());
    }
  }

  /**
   * Tells that nothing came of it: the stream's last words.
   *
   * @param status what the target answered; 0 if nothing
   */
  void refused(Sender sender, int status, String error) throws LinkLostException {
    String text = status > 0 ? error + " (status: " + status + ")" : error;
    switch (begin) {
      case SILENT -> {
        sender.last(new ProxyError(text, id));
        sender.finish(WebSocketClose.kubernetes(id));
      }
      case BUFFERED -> sender.finish(new ProxyError(text));
      case STREAMED -> {
        sender.last(new ProxyResponseHeader(status > 0 ? status : 502, Headers.EMPTY));
        sender.finish(new ProxyResponseAbort(text));
      }
    }
  }

  /** Whether the peer itself closed a stream that it opened without expecting an answer. */
  boolean closeOnly(Failure why) {
    return begin == Begin.SILENT && why.reason() == Failure.Reason.CANCELLED;
  }

  Payload data(TunnelFrame frame) {
    return kubernetes ? WebSocketData.kubernetes(id, frame) : WebSocketData.application(id, frame);
  }

  /** The end of a stream that had begun. */
  Payload close() {
    return kubernetes ? WebSocketClose.kubernetes(id) : WebSocketClose.application(id);
  }

  /** Tells why a stream that had begun is closed; null if the kind has no word for it. */
  Payload complaint(Failure why) {
    if (kubernetes) {
      return new ProxyError(why.getMessage(), id);
    }
    return why.reason() == Failure.Reason.BODY ? Backpressure.channelFull(id) : null;
  }

  /** A frame of the peer; null if it is empty and so means nothing (protocol 4.3). */
  TunnelFrame frame(WebSocketData data) throws ProtocolException {
    if (kubernetes) {
      return data.data().hasRemaining() ? TunnelFrame.parse(data.data()) : null;
    }
    return data.data().hasRemaining() || TunnelFrame.isOpcode(data.messageType())
        ? data.frame()
        : null;
  }
}

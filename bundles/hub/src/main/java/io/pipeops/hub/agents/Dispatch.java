package io.pipeops.hub.agents;

import io.pipeops.agent.api.link.Message;
import io.pipeops.agent.protocol.BinaryResponse;
import io.pipeops.agent.protocol.Envelopes;
import io.pipeops.agent.protocol.Extensions;
import io.pipeops.agent.protocol.GatewayHelloAck;
import io.pipeops.agent.protocol.Heartbeat;
import io.pipeops.agent.protocol.LinkAck;
import io.pipeops.agent.protocol.Ping;
import io.pipeops.agent.protocol.Pong;
import io.pipeops.agent.protocol.ProtocolException;
import io.pipeops.agent.protocol.ProxyError;
import io.pipeops.agent.protocol.ProxyRequestWindow;
import io.pipeops.agent.protocol.ProxyResponse;
import io.pipeops.agent.protocol.ProxyResponseAbort;
import io.pipeops.agent.protocol.ProxyResponseChunk;
import io.pipeops.agent.protocol.ProxyResponseEnd;
import io.pipeops.agent.protocol.ProxyResponseHeader;
import io.pipeops.agent.protocol.Register;
import io.pipeops.agent.protocol.StreamIds;
import io.pipeops.agent.protocol.WebSocketClose;
import io.pipeops.agent.protocol.WebSocketData;
import java.nio.ByteBuffer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What becomes of each message of an agent (protocol 2, 3.2.3, 5.1): the streams, a request's
 * queue, the lane for what may block. Nothing that an agent sends costs the connection but what
 * makes its streams useless. Called with one message after the other.
 */
final class Dispatch {
  private static final Logger log = LoggerFactory.getLogger(Dispatch.class);

  private final AgentConnection connection;
  private final AgentSessions sessions;
  private boolean acknowledgement;

  /** Messages that are not understood are noted once, then only counted. */
  private boolean noted;

  Dispatch(AgentConnection connection, AgentSessions sessions) {
    this.connection = connection;
    this.sessions = sessions;
  }

  /** Whether the last message was an acknowledgement, which is not counted itself. */
  boolean acknowledgement() {
    return acknowledgement;
  }

  /** Deals with a whole message; answers the stream that has too much queued now, or null. */
  AgentStream message(byte[] bytes, boolean text) {
    acknowledgement = false;
    try {
      if (!text && connection.streams().feed(bytes)) {
        return null;
      }
      if (text || looksLikeJson(bytes)) {
        return envelope(Envelopes.parse(bytes, 0, bytes.length));
      }
      AgentSession served = connection.session();
      BinaryResponse response = BinaryResponse.parse(ByteBuffer.wrap(bytes));
      return served == null ? null : served.receive(response);
    } catch (ProtocolException e) {
      sessions.metrics().malformed.increment();
      if (noted) {
        log.debug("Message ignored: {} {}", e.getMessage(), connection.describe());
      } else {
        noted = true;
        log.warn(
            "Message ignored, further ones are only counted: {} {}",
            e.getMessage(),
            connection.describe());
      }
      return null;
    } catch (RuntimeException e) {
      // One message must never cost the connection (protocol 11.11).
      sessions.metrics().malformed.increment();
      log.warn("Message ignored after a fault: {}", connection.describe(), e);
      return null;
    }
  }

  private static boolean looksLikeJson(byte[] bytes) {
    for (byte b : bytes) {
      if (b != ' ' && b != '\n' && b != '\r' && b != '\t') {
        return b == '{';
      }
    }
    return false;
  }

  private AgentStream envelope(Message message) throws ProtocolException {
    AgentStreams streams = connection.streams();
    AgentWriter writer = connection.writer();
    switch (message.type()) {
      case ProxyResponseChunk.TYPE,
          ProxyResponseHeader.TYPE,
          ProxyResponseEnd.TYPE,
          ProxyResponseAbort.TYPE,
          ProxyResponse.TYPE,
          ProxyError.TYPE,
          ProxyRequestWindow.TYPE,
          WebSocketData.TYPE,
          WebSocketData.ALIAS,
          WebSocketClose.TYPE,
          WebSocketClose.ALIAS -> {
        AgentSession served = connection.session();
        return served == null ? null : served.receive(message);
      }
      case GatewayHelloAck.TYPE -> {
        if (streams.accepted(GatewayHelloAck.parse(message.payload()))) {
          if (streams.knows(Extensions.RESUME) && writer.keeps()) {
            connection.resumability().agree();
            sessions.resumable(connection);
          } else {
            writer.keepNothing();
          }
        }
      }
      case LinkAck.TYPE -> {
        acknowledgement = true;
        acknowledged(LinkAck.parse(message.payload()));
      }
      case StreamIds.TYPE -> streams.ids(StreamIds.parse(message.payload()));
      case Ping.TYPE -> writer.control(Envelopes.write(message.requestId(), Pong.now()));
      case Register.TYPE -> connection.onLane(() -> sessions.desk().register(connection, message));
      case Heartbeat.TYPE ->
          connection.onLane(() -> sessions.desk().heartbeat(connection, message));
      default ->
          log.debug(
              "Ignored type={} {}", PeerText.clean(message.type(), 64), connection.describe());
    }
    return null;
  }

  private void acknowledged(LinkAck ack) {
    try {
      connection.writer().acknowledged(ack.received());
    } catch (ProtocolException e) {
      log.warn("Agent closed: {} reason={}", connection.describe(), e.getMessage());
      connection.close(1011, e.getMessage());
    }
  }
}

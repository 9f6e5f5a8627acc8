package io.pipeops.agent.tunnel;

import java.io.EOFException;
import java.io.IOException;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.UnresolvedAddressException;
import java.util.concurrent.TimeoutException;
import javax.net.ssl.SSLException;
import org.eclipse.jetty.client.Connection;
import org.eclipse.jetty.websocket.core.exception.UpgradeException;

/** Puts what the client reports into words for the peer (protocol 3.6). */
final class TargetErrors {
  private static final int MAX_TEXT = 200;

  private TargetErrors() {}

  static Failure of(Route route, Throwable cause) {
    Failure.Reason reason = Failure.Reason.BROKEN;
    String text;
    if (cause instanceof NoRouteToHostException) {
      reason = Failure.Reason.UNREACHABLE;
      text = "no route to host";
    } else if (cause instanceof ConnectException) {
      reason = Failure.Reason.UNREACHABLE;
      text = "connection refused";
    } else if (cause instanceof UnknownHostException
        || cause instanceof UnresolvedAddressException) {
      reason = Failure.Reason.UNREACHABLE;
      text = "no such host " + route.origin().getHost();
    } else if (cause instanceof SocketTimeoutException || cause instanceof TimeoutException) {
      reason = Failure.Reason.TIMEOUT;
      text = "connection timed out";
    } else if (cause instanceof SSLException) {
      reason = Failure.Reason.UNREACHABLE;
      text = "TLS: " + line(cause.getMessage());
    } else if (cause instanceof UpgradeException refused && refused.getResponseStatusCode() > 0) {
      text = "WebSocket handshake refused";
    } else if (cause instanceof EOFException || cause instanceof ClosedChannelException) {
      text = "connection closed by the target";
    } else {
      text = line(cause.getMessage() == null ? cause.toString() : cause.getMessage());
    }
    return new Failure(reason, route.what() + ": " + text);
  }

  /** Whether the connection was closed or reset, and not by a failure to make it. */
  static boolean stale(Throwable cause) {
    return cause instanceof EOFException
        || cause instanceof ClosedChannelException
        || (cause instanceof IOException
            && !(cause instanceof ConnectException)
            && String.valueOf(cause.getMessage()).contains("onnection reset"));
  }

  /** Whether a connection of the client, or null, has brought an answer before. */
  static boolean reused(Connection connection) {
    return connection instanceof org.eclipse.jetty.io.Connection counted
        && counted.getMessagesIn() > 0;
  }

  /** Text of unknown origin, cut to one harmless line. */
  static String line(String text) {
    if (text == null) {
      return "unknown";
    }
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < text.length() && out.length() < MAX_TEXT; i++) {
      char c = text.charAt(i);
      out.append(c < ' ' || c == 0x7F ? ' ' : c);
    }
    return out.toString();
  }
}

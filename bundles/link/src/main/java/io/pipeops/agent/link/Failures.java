package io.pipeops.agent.link;

import java.io.EOFException;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.UnresolvedAddressException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeoutException;

/** What went wrong, in the words of an operator. */
final class Failures {
  private Failures() {}

  /** One line; never empty. */
  static String describe(Throwable failure) {
    Throwable cause = failure;
    for (int i = 0; i < 8 && cause instanceof ExecutionException && cause.getCause() != null; i++) {
      cause = cause.getCause();
    }
    String tls = Tls.explain(cause);
    if (!tls.isEmpty()) {
      return tls;
    }
    for (Throwable t = cause; t != null; t = t.getCause()) {
      switch (t) {
        case UnknownHostException e -> {
          return "the host name cannot be resolved: " + PeerText.line(e.getMessage());
        }
        case UnresolvedAddressException e -> {
          return "the host name cannot be resolved";
        }
        case ConnectException e -> {
          return "connection refused or unreachable: " + PeerText.line(e.getMessage());
        }
        case NoRouteToHostException e -> {
          return "no route to the host";
        }
        case TimeoutException e -> {
          return "timed out";
        }
        case SocketTimeoutException e -> {
          return "timed out";
        }
        case EOFException e -> {
          return "the peer closed the connection";
        }
        case ClosedChannelException e -> {
          return "the connection was closed";
        }
        default -> {}
      }
    }
    String text = PeerText.line(cause.getMessage());
    return text.isEmpty() ? cause.getClass().getSimpleName() : text;
  }
}

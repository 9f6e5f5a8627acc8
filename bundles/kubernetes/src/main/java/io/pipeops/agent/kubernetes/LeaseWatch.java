package io.pipeops.agent.kubernetes;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.concurrent.CancellationException;
import org.eclipse.jetty.client.Request;
import org.eclipse.jetty.client.Response;
import org.eclipse.jetty.client.Result;

/**
 * A watch of one Lease: what a replica that stands by costs, instead of asking again and again. The
 * observer is called on the client's threads and must return at once.
 */
final class LeaseWatch implements Response.Listener, AutoCloseable {
  private static final int LONGEST_EVENT = 256 << 10;

  /** Who follows the lease. */
  interface Observer {
    /** The lease as it is now; null if it was deleted. */
    void observed(LeaseRecord lease);

    /**
     * Nothing more comes.
     *
     * @param status the status of the answer; 0 if there was none
     */
    void ended(int status);
  }

  private final String what;
  private final Observer observer;
  private final ByteArrayOutputStream line = new ByteArrayOutputStream(1024);
  private Request request;
  private boolean closed;

  LeaseWatch(String what, Observer observer) {
    this.what = what;
    this.observer = observer;
  }

  synchronized void begin(Request begun) {
    request = begun;
  }

  @Override
  public void onContent(Response response, ByteBuffer content) {
    if (response.getStatus() != 200) {
      return;
    }
    while (content.hasRemaining()) {
      byte next = content.get();
      if (next != '\n') {
        line.write(next);
      } else if (!event(line.toByteArray())) {
        response.abort(new IOException("the watch of " + what + " failed"));
        return;
      } else {
        line.reset();
      }
      if (line.size() > LONGEST_EVENT) {
        response.abort(new IOException("an event of " + what + " is too long"));
        return;
      }
    }
  }

  /** False if it has to be read again: 410, say, the state is too old to be followed. */
  private boolean event(byte[] json) {
    try {
      Map<String, Object> event = Json.read(json);
      switch (Json.text(event, "type")) {
        case "ADDED", "MODIFIED" -> tell(new LeaseRecord(Json.child(event, "object")));
        case "DELETED" -> tell(null);
        case "BOOKMARK" -> {}
        default -> {
          return false;
        }
      }
      return true;
    } catch (IOException e) {
      return false;
    }
  }

  private void tell(LeaseRecord lease) {
    synchronized (this) {
      if (closed) {
        return;
      }
    }
    observer.observed(lease);
  }

  @Override
  public void onComplete(Result result) {
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
    }
    observer.ended(result.getResponse() == null ? 0 : result.getResponse().getStatus());
  }

  /** Ends it; the observer hears nothing more. */
  @Override
  public void close() {
    Request begun;
    synchronized (this) {
      closed = true;
      begun = request;
    }
    if (begun != null) {
      begun.abort(new CancellationException("not followed any more"));
    }
  }
}

package io.pipeops.agent.forward;

import io.pipeops.agent.api.link.LinkLostException;
import io.pipeops.agent.api.link.Message;
import io.pipeops.agent.api.link.Outgoing;
import io.pipeops.agent.api.link.Priority;
import io.pipeops.agent.api.link.Reply;
import io.pipeops.agent.api.link.StreamReceiver;
import io.pipeops.agent.protocol.Envelopes;
import io.pipeops.agent.protocol.ProtocolException;
import io.pipeops.agent.protocol.TcpTunnelClose;
import io.pipeops.agent.protocol.TcpTunnelData;
import io.pipeops.agent.protocol.TcpTunnelStart;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.ArrayDeque;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * One TCP connection carried as JSON (protocol 6.2). What arrives before the service has accepted
 * waits in order. JSON has no back-pressure towards the peer, so what waits for a slow service is
 * bounded, and a connection beyond the bound is closed. Exactly one close message goes out, with
 * the counters (Q40), unless the link is gone.
 */
final class JsonConnection implements StreamReceiver, Forwards.Forward, Runnable {
  /** Most that one connection may have waiting. */
  private static final int SHARE = 4 << 20;

  private static final int PIECE = 32 << 10;

  private final Forwarding all;
  private final Settings settings;
  private final String id;
  private final TcpTunnelStart start;
  private final Reply reply;
  private final AtomicLong waiting;
  private final Tally tally;

  // Guarded by this.
  private final ArrayDeque<ByteBuffer> inbox = new ArrayDeque<>();
  private long inboxBytes;
  private boolean peerClosed;
  private String reason = TcpTunnelClose.SERVICE_CLOSED;
  private String error = "";
  private boolean over;
  private Wire wire;

  private volatile boolean lost;

  JsonConnection(
      Forwarding all,
      Settings settings,
      String id,
      TcpTunnelStart start,
      Reply reply,
      AtomicLong waiting) {
    this.all = all;
    this.settings = settings;
    this.id = id;
    this.start = start;
    this.reply = reply;
    this.waiting = waiting;
    this.tally = new Tally(Kind.TCP, all.meters());
  }

  @Override
  public Kind kind() {
    return Kind.TCP;
  }

  @Override
  public void cut() {
    end(TcpTunnelClose.SERVICE_CLOSED, "the agent's forward feature was stopped");
  }

  // What the link calls.

  @Override
  public void receive(Message message) {
    switch (message.type()) {
      case TcpTunnelData.TYPE -> {
        try {
          data(TcpTunnelData.parse(message.payload()).data());
        } catch (ProtocolException e) {
          end(TcpTunnelClose.WRITE_ERROR, "malformed tcp_tunnel_data");
        }
      }
      case TcpTunnelClose.TYPE -> {
        synchronized (this) {
          peerClosed = true;
          notifyAll();
        }
      }
      default -> {
        // Another message with this request id: not ours.
      }
    }
  }

  private void data(ByteBuffer data) {
    int size = data.remaining();
    synchronized (this) {
      if (over || peerClosed || size == 0) {
        return;
      }
      if (inboxBytes + size <= SHARE && waiting.addAndGet(size) <= settings.memoryBytes()) {
        inbox.add(data);
        inboxBytes += size;
        notifyAll();
        return;
      }
      if (inboxBytes + size <= SHARE) {
        waiting.addAndGet(-size);
      }
    }
    end(TcpTunnelClose.WRITE_ERROR, "the service takes data more slowly than it is sent");
  }

  @Override
  public void lost(String why) {
    lost = true;
    end(TcpTunnelClose.SERVICE_CLOSED, why);
  }

  /** Ends it for this reason, if it has not ended already. */
  private void end(String why, String detail) {
    Wire cut;
    synchronized (this) {
      if (over) {
        return;
      }
      over = true;
      reason = why;
      error = detail;
      cut = wire;
      notifyAll();
    }
    if (cut != null) {
      cut.close();
    }
  }

  @Override
  public void run() {
    Thread back = null;
    try {
      Wire connected = connect();
      if (connected != null) {
        all.meters().opened(Kind.TCP);
        back = Thread.ofVirtual().name("forward-json-back").start(() -> fromService(connected));
        toService(connected);
      }
    } catch (RefusedException e) {
      all.meters().refused(e.reason());
      end(TcpTunnelClose.CONNECTION_FAILED, e.getMessage());
    } catch (IOException e) {
      end(TcpTunnelClose.WRITE_ERROR, String.valueOf(e.getMessage()));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      finish(back);
    }
  }

  private Wire connect() throws IOException, InterruptedException {
    String service = start.serviceName();
    String namespace = start.serviceNamespace();
    String[] target =
        JsonTunnels.target(service, namespace, start.gatewayName(), start.gatewayNamespace());
    int port = JsonTunnels.port(service, namespace, start.servicePort(), start.gatewayPort());
    SocketChannel channel;
    try {
      channel = connect(target[0], target[1], port);
    } catch (RefusedException e) {
      // Istio names the service of a Gateway after its class.
      if (target[0].equals(service) || !e.getMessage().startsWith("there is no service")) {
        throw e;
      }
      channel = connect(target[0] + "-istio", target[1], port);
    }
    Wire connected = Wire.tcp(channel);
    synchronized (this) {
      if (!over) {
        wire = connected;
        return connected;
      }
    }
    connected.close();
    return null;
  }

  private SocketChannel connect(String name, String namespace, int port)
      throws IOException, InterruptedException {
    Targets targets = all.targets();
    return targets.connect(
        settings, targets.check(settings, all.server(), name, namespace, port), settings.connect());
  }

  private void toService(Wire service) throws IOException, InterruptedException {
    while (true) {
      ByteBuffer data;
      synchronized (this) {
        while (inbox.isEmpty() && !peerClosed && !over) {
          await();
        }
        data = inbox.poll();
        if (over || data == null) {
          return;
        }
      }
      int size = data.remaining();
      service.write(data);
      synchronized (this) {
        inboxBytes -= size;
      }
      waiting.addAndGet(-size);
      tally.in(size);
    }
  }

  private void await() throws InterruptedException, IOException {
    long idle = settings.tcpIdle().toNanos();
    if (idle == 0) {
      wait();
      return;
    }
    long left = idle - tally.idle();
    if (left <= 0) {
      over = true;
      error = "idle for " + settings.tcpIdle().toSeconds() + " s";
      return;
    }
    TimeUnit.NANOSECONDS.timedWait(this, Math.max(1_000_000, left));
  }

  private void fromService(Wire service) {
    try {
      ByteBuffer piece = ByteBuffer.allocate(PIECE);
      while (service.read(piece) >= 0) {
        int size = piece.flip().remaining();
        reply.send(
            Outgoing.text(
                Priority.BULK,
                id,
                Envelopes.write(id, new TcpTunnelData(piece, TcpTunnelData.AGENT_TO_GATEWAY))));
        tally.out(size);
        piece.clear();
      }
      end(TcpTunnelClose.SERVICE_CLOSED, "");
    } catch (LinkLostException e) {
      lost(e.getMessage());
    } catch (IOException e) {
      end(TcpTunnelClose.SERVICE_CLOSED, "");
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void finish(Thread back) {
    Wire last;
    synchronized (this) {
      over = true;
      last = wire;
      waiting.addAndGet(-inboxBytes);
      inboxBytes = 0;
      inbox.clear();
    }
    if (last != null) {
      last.close();
    }
    try {
      if (back != null) {
        back.join();
      }
      if (!lost) {
        reply.send(Outgoing.text(Priority.BULK, id, Envelopes.write(id, closing())));
      }
    } catch (LinkLostException e) {
      lost = true;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      reply.release(id);
      all.forwards().leave(this);
      all.meters().closed(Kind.TCP, tally.nanos());
    }
  }

  private synchronized TcpTunnelClose closing() {
    return new TcpTunnelClose(
        reason, tally.sentToTarget(), tally.receivedFromTarget(), tally.nanos() / 1_000_000, error);
  }
}

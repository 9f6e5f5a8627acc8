package io.pipeops.agent.forward;

import io.pipeops.agent.api.kubernetes.ApiServer;
import io.pipeops.agent.api.link.LinkStream;
import io.pipeops.agent.api.link.StreamHandler;
import io.pipeops.agent.api.link.StreamOpen;
import io.pipeops.agent.forward.RefusedException.Reason;
import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Streams of the peer to services (protocol 5.4). There is no answer to the header: a stream that
 * cannot be served is reset, and why stands in the log and the metrics.
 */
final class StreamDesk implements StreamHandler {
  private static final Logger log = LoggerFactory.getLogger(StreamDesk.class);

  private final Forwarding all;

  StreamDesk(Forwarding all) {
    this.all = all;
  }

  /** One stream among all that are open. */
  private static final class Open implements Forwards.Forward {
    private final Kind kind;
    private final LinkStream stream;
    private volatile BooleanSupplier idle = () -> false;

    Open(Kind kind, LinkStream stream) {
      this.kind = kind;
      this.stream = stream;
    }

    @Override
    public Kind kind() {
      return kind;
    }

    @Override
    public boolean idle() {
      return idle.getAsBoolean();
    }

    void idleWhen(BooleanSupplier next) {
      idle = next;
    }

    @Override
    public void cut() {
      stream.reset();
    }
  }

  @Override
  public void accept(StreamOpen open, LinkStream stream) throws IOException, InterruptedException {
    Settings settings = all.settings();
    Kind kind =
        switch (open.protocol()) {
          case TCP -> Kind.TCP;
          case UDP, UDP_DATAGRAMS -> Kind.UDP;
          case API -> Kind.API;
          default -> throw new RefusedException(Reason.TARGET, "unknown protocol");
        };
    Open mine = new Open(kind, stream);
    Tally tally = new Tally(kind, all.meters());
    boolean begun = false;
    try {
      enter(mine, settings);
      begun = true;
      switch (kind) {
        case TCP -> tcp(settings, open, stream, tally);
        case UDP -> udp(settings, open, stream, tally);
        case API -> new ApiForward(all, settings, stream, tally).run(mine::idleWhen);
      }
      log.debug("Stream done {}", describe(open, stream, tally));
    } catch (RefusedException e) {
      all.meters().refused(e.reason());
      log.debug("Stream refused {}: {}", describe(open, stream, tally), e.getMessage());
      if (kind == Kind.API) {
        ApiForward.refuse(stream, e.getMessage());
      }
    } catch (IOException e) {
      // A hub ends an API stream when it has no more use for it.
      if (kind != Kind.API) {
        all.meters().broken();
      }
      log.debug("Stream broken {}: {}", describe(open, stream, tally), e.getMessage());
    } finally {
      all.forwards().leave(mine);
      if (begun) {
        all.meters().closed(kind, tally.nanos());
      }
    }
  }

  private void enter(Open mine, Settings settings) throws RefusedException {
    boolean on =
        switch (mine.kind()) {
          case TCP -> settings.tcp();
          case UDP -> settings.udp();
          case API -> settings.api();
        };
    if (!on) {
      throw new RefusedException(
          Reason.TARGET, "switched off by the agent's setting forward." + mine.kind().label());
    }
    int limit =
        switch (mine.kind()) {
          case TCP -> settings.tcpConnections();
          case UDP -> settings.udpSessions();
          case API -> settings.apiStreams();
        };
    all.forwards().enter(mine, limit);
  }

  private static String describe(StreamOpen open, LinkStream stream, Tally tally) {
    return "protocol="
        + open.protocol()
        + " target="
        + line(open.service())
        + "."
        + line(open.namespace())
        + ":"
        + open.port()
        + " tunnel="
        + line(open.tunnelId())
        + " stream="
        + stream.id()
        + " in="
        + tally.sentToTarget()
        + " out="
        + tally.receivedFromTarget()
        + " ms="
        + tally.nanos() / 1_000_000;
  }

  private static String line(String text) {
    String kept = text.length() > 100 ? text.substring(0, 100) : text;
    return kept.replaceAll("\\p{Cntrl}", " ");
  }

  private Targets.Service target(Settings settings, StreamOpen open) throws RefusedException {
    ApiServer server = all.server();
    return all.targets().check(settings, server, open.service(), open.namespace(), open.port());
  }

  private static Duration shorter(Duration a, Duration b) {
    return a.compareTo(b) < 0 ? a : b;
  }

  private void tcp(Settings settings, StreamOpen open, LinkStream stream, Tally tally)
      throws IOException, InterruptedException {
    SocketChannel channel =
        all.targets()
            .connect(settings, target(settings, open), shorter(settings.connect(), open.limit()));
    all.meters().opened(Kind.TCP);
    Wire wire = Wire.tcp(channel);
    try (wire) {
      new ByteRelay(stream, wire, ByteRelay.plain(wire), settings.tcpIdle(), tally).run();
    }
  }

  private void udp(Settings settings, StreamOpen open, LinkStream stream, Tally tally)
      throws IOException, InterruptedException {
    var addresses =
        all.targets()
            .addresses(settings, target(settings, open), shorter(settings.connect(), open.limit()));
    all.meters().opened(Kind.UDP);
    new DatagramRelay(
            stream,
            addresses.getFirst(),
            open.protocol().equals(UDP_DATAGRAMS),
            settings.udpIdle(),
            tally)
        .run();
  }
}

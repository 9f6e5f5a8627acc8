package io.pipeops.agent.forward;

import io.pipeops.agent.api.kubernetes.ApiServer;
import io.pipeops.agent.forward.RefusedException.Reason;
import java.io.IOException;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.net.UnknownHostException;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Decides what may be reached, finds its address and connects (protocol 3.5.3, 5.4, 6.2). A target
 * is always a service of the cluster by its name; what the name leads to is looked at once more,
 * because whoever may create services could let one point to the agent itself or to the cloud's
 * metadata.
 */
final class Targets implements AutoCloseable {
  /** How the name of a service is looked up; may block. */
  interface Resolver {
    InetAddress[] resolve(String host) throws UnknownHostException;
  }

  private static final int MAX_LOOKUPS = 8;
  private static final int WAITING_LOOKUPS = 1024;

  /** The metadata address of one cloud that is neither link-local nor loopback. */
  private static final byte[] METADATA_V6 = {
    (byte) 0xfd, 0, 0x0e, (byte) 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x54
  };

  private final Resolver resolver;
  private ThreadPoolExecutor lookups;
  private boolean closed;

  Targets(Resolver resolver) {
    this.resolver = resolver;
  }

  /** A service that may be reached, by its name. */
  record Service(String host, int port) {}

  /**
   * Checks names and port, and whether the settings allow them.
   *
   * @param server null while the cluster is not known
   */
  Service check(Settings settings, ApiServer server, String service, String namespace, int port)
      throws RefusedException {
    if (!isName(service) || !isName(namespace)) {
      throw new RefusedException(Reason.TARGET, "invalid service name or namespace");
    }
    if (port < 1 || port > 65535) {
      throw new RefusedException(Reason.TARGET, "invalid service port " + port);
    }
    String what = service + "." + namespace + ":" + port;
    if (!any(settings.allowed(), service, namespace, port)) {
      throw new RefusedException(
          Reason.TARGET, what + " is not allowed by the agent's setting forward.allowed_targets");
    }
    if (any(settings.denied(), service, namespace, port)) {
      throw new RefusedException(
          Reason.TARGET, what + " is denied by the agent's setting forward.denied_targets");
    }
    if (server == null) {
      throw new RefusedException(Reason.CONNECT, "the agent does not know its cluster yet");
    }
    return new Service(service + "." + namespace + ".svc." + server.clusterDomain() + ".", port);
  }

  private static boolean any(List<TargetPattern> patterns, String name, String space, int port) {
    for (TargetPattern pattern : patterns) {
      if (pattern.matches(name, space, port)) {
        return true;
      }
    }
    return false;
  }

  /** A DNS label or several without dots between, as services and namespaces are named. */
  static boolean isName(String name) {
    int length = name.length();
    boolean ok =
        length > 0 && length <= 253 && name.charAt(0) != '-' && name.charAt(length - 1) != '-';
    for (int i = 0; ok && i < length; i++) {
      char c = name.charAt(i);
      ok = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    }
    return ok;
  }

  /** The addresses of a service that may be reached, at least one. */
  List<InetSocketAddress> addresses(Settings settings, Service service, Duration limit)
      throws IOException, InterruptedException {
    List<InetSocketAddress> usable = new ArrayList<>();
    for (InetAddress address : look(service.host(), limit)) {
      if (settings.localAddresses() || !isLocal(address)) {
        usable.add(new InetSocketAddress(address, service.port()));
      }
    }
    if (usable.isEmpty()) {
      throw new RefusedException(
          Reason.TARGET, service.host() + " leads to a local address, which is not reachable here");
    }
    return usable;
  }

  static boolean isLocal(InetAddress address) {
    return address.isLoopbackAddress()
        || address.isLinkLocalAddress()
        || address.isAnyLocalAddress()
        || address.isMulticastAddress()
        || (address instanceof Inet6Address
            && java.util.Arrays.equals(address.getAddress(), METADATA_V6));
  }

  /** Connects to the first address that accepts. */
  SocketChannel connect(Settings settings, Service service, Duration limit)
      throws IOException, InterruptedException {
    long end = System.nanoTime() + limit.toNanos();
    return connect(addresses(settings, service, limit), service.host(), end);
  }

  /** Connects to the API server, which the agent knows by itself. */
  SocketChannel connect(String host, int port, Duration limit)
      throws IOException, InterruptedException {
    long end = System.nanoTime() + limit.toNanos();
    List<InetSocketAddress> addresses = new ArrayList<>();
    for (InetAddress address : look(host, limit)) {
      addresses.add(new InetSocketAddress(address, port));
    }
    return connect(addresses, host, end);
  }

  private static SocketChannel connect(List<InetSocketAddress> addresses, String host, long end)
      throws IOException {
    IOException last = null;
    for (InetSocketAddress address : addresses) {
      long millis = (end - System.nanoTime()) / 1_000_000;
      if (millis <= 0) {
        break;
      }
      SocketChannel channel = SocketChannel.open();
      boolean connected = false;
      try {
        channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
        channel.setOption(StandardSocketOptions.SO_KEEPALIVE, true);
        channel.socket().connect(address, (int) Math.min(millis, Integer.MAX_VALUE));
        connected = true;
        return channel;
      } catch (IOException e) {
        last = e;
      } finally {
        if (!connected) {
          channel.close();
        }
      }
    }
    throw new RefusedException(
        Reason.CONNECT,
        "cannot connect to " + host + ": " + (last == null ? "no answer" : last.getMessage()));
  }

  /** A look-up blocks its thread, so it has one that is not a carrier of virtual threads. */
  private InetAddress[] look(String host, Duration limit) throws IOException, InterruptedException {
    FutureTask<InetAddress[]> task = new FutureTask<>(() -> resolver.resolve(host));
    ThreadPoolExecutor pool = lookups();
    if (pool.getQueue().size() >= WAITING_LOOKUPS) {
      throw new RefusedException(Reason.CONNECT, "too many names are being looked up");
    }
    pool.execute(task);
    try {
      return task.get(limit.toMillis(), TimeUnit.MILLISECONDS);
    } catch (ExecutionException e) {
      throw new RefusedException(
          Reason.CONNECT,
          e.getCause() instanceof UnknownHostException
              ? "there is no service " + host
              : host + " cannot be looked up: " + e.getCause().getMessage());
    } catch (TimeoutException e) {
      task.cancel(false);
      throw new RefusedException(Reason.CONNECT, host + " was not found in time");
    }
  }

  private synchronized ThreadPoolExecutor lookups() throws RefusedException {
    if (closed) {
      throw new RefusedException(Reason.LIMIT, "the feature is being stopped");
    }
    if (lookups == null) {
      lookups =
          new ThreadPoolExecutor(
              MAX_LOOKUPS,
              MAX_LOOKUPS,
              10,
              TimeUnit.SECONDS,
              new LinkedBlockingQueue<>(),
              Thread.ofPlatform().daemon().name("forward-dns-", 0).factory());
      lookups.allowCoreThreadTimeOut(true);
    }
    return lookups;
  }

  @Override
  public synchronized void close() {
    closed = true;
    if (lookups != null) {
      lookups.shutdownNow();
    }
  }
}

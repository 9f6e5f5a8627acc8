package io.pipeops.agent.forward;

import io.pipeops.agent.api.kubernetes.ApiServer;
import java.net.InetAddress;

/** What all connections share. */
final class Forwarding implements AutoCloseable {
  private final Forwards forwards = new Forwards();
  private final Meters meters = new Meters(forwards);
  private final Targets targets;
  private volatile Settings settings;
  private volatile ApiServer server;
  private volatile boolean draining;

  Forwarding(Settings settings) {
    this(settings, InetAddress::getAllByName);
  }

  Forwarding(Settings settings, Targets.Resolver resolver) {
    this.settings = settings;
    this.targets = new Targets(resolver);
  }

  Settings settings() {
    return settings;
  }

  void settings(Settings next) {
    settings = next;
    if (!next.api()) {
      forwards.cutIdle();
    }
  }

  /** The API server as it is known now; null while it is not. */
  ApiServer server() {
    return server;
  }

  void server(ApiServer next) {
    server = next;
  }

  /** Whether streams to the API server shall end after their present request. */
  boolean endingApi() {
    return draining || !settings.api();
  }

  /** Whether connections that can be ended without harm shall be. */
  boolean draining() {
    return draining;
  }

  void draining(boolean next) {
    draining = next;
    if (next) {
      forwards.cutIdle();
    }
  }

  Forwards forwards() {
    return forwards;
  }

  Meters meters() {
    return meters;
  }

  Targets targets() {
    return targets;
  }

  @Override
  public void close() {
    targets.close();
  }
}

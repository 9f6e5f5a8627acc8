package io.pipeops.agent.tunnel;

import io.pipeops.agent.api.kubernetes.ApiServer;
import org.eclipse.jetty.util.SocketAddressResolver;

/** What all streams share. */
final class Tunnel implements AutoCloseable {
  private final ByteBudget budget;
  private final Streams streams;
  private final Meters meters;
  private final TargetClients clients;
  private volatile Settings settings;
  private volatile ApiServer server;

  Tunnel(Settings settings, SocketAddressResolver serviceResolver) {
    this.settings = settings;
    this.budget = new ByteBudget(settings.memoryBytes());
    this.streams = new Streams(settings);
    this.meters = new Meters(streams::open, budget::taken);
    this.clients = new TargetClients(serviceResolver);
  }

  void settings(Settings value) {
    settings = value;
    budget.limit(value.memoryBytes());
    streams.settings(value);
  }

  Settings settings() {
    return settings;
  }

  /** The API server as it is known now; null while it is not. */
  ApiServer server() {
    return server;
  }

  void server(ApiServer value) {
    server = value;
  }

  ByteBudget budget() {
    return budget;
  }

  Streams streams() {
    return streams;
  }

  Meters meters() {
    return meters;
  }

  TargetClients clients() {
    return clients;
  }

  @Override
  public void close() {
    clients.close();
  }
}

package io.pipeops.agent.bench;

/**
 * Single streams through a TCP port of the hub, beside the same straight over loopback; HAProxy as
 * a TCP proxy in the same place does what a program can that only copies bytes.
 */
final class StreamRows {
  private final Figures figures;
  private final StreamTarget stream;
  private final Target web;
  private final Comparison compared;

  /**
   * Rows of streams.
   *
   * @param stream echoes, sends and takes
   * @param web answers HTTP without TLS
   */
  StreamRows(Figures figures, StreamTarget stream, Target web, int seconds) {
    this.figures = figures;
    this.stream = stream;
    this.web = web;
    this.compared = new Comparison(figures, seconds);
  }

  /** Through hub and agent. */
  void hub(int streamPort, int webPort, Between between) throws Exception {
    String path = "/api/small";
    compared.first(
        "Port, HTTP, the first 5 s, 16 connections",
        Load.warmUp(Place.like(web, webPort).getting(path), 16, compared.warmUpWindows(), between));
    Load.warmUp(StreamTarget.echo(streamPort), 1, compared.warmUpWindows() / 4, between);
    compared.warmUp(down(streamPort), between);
    compared.warmUp(up(streamPort), between);
    rows("Port", streamPort, webPort, between);
  }

  /** Through HAProxy. */
  void beside(HaProxy proxy) throws Exception {
    if (!proxy.there()) {
      figures.skipped("HAProxy as TCP proxy", HaProxy.MISSING);
      return;
    }
    rows("HAProxy as TCP proxy", proxy.streamPort(), proxy.webPort(), proxy.between());
  }

  private void rows(String way, int streamPort, int webPort, Between between) throws Exception {
    compared.added(
        way + ", echo of 1 KiB, 1 connection",
        StreamTarget.echo(streamPort),
        between,
        StreamTarget.echo(stream.port()));
    compared.rate(
        way + ", HTTP 1 KiB, 16 connections",
        Place.like(web, webPort).getting("/api/small"),
        between,
        Place.direct(web).getting("/api/small"),
        16);
    compared.bulk(
        way + ", 64 MiB down, 1 connection", down(streamPort), between, down(stream.port()));
    compared.bulk(way + ", 64 MiB up, 1 connection", up(streamPort), between, up(stream.port()));
  }

  private static Load.Opening down(int port) {
    return StreamTarget.down(port);
  }

  private static Load.Opening up(int port) {
    return StreamTarget.up(port);
  }
}

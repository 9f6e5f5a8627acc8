package io.pipeops.agent.bench;

import io.pipeops.agent.itests.Await;
import io.pipeops.agent.itests.Spine;
import java.time.Duration;

/**
 * Requests through hub and agent beside the same requests straight to the target, TLS on every hop
 * or on none.
 */
final class HttpRows {
  private final Figures figures;
  private final Spine spine;
  private final Target target;
  private final HaProxy proxy;
  private final Comparison compared;
  private String way = "";

  HttpRows(Figures figures, Spine spine, Target target, HaProxy proxy, int seconds) {
    this.figures = figures;
    this.spine = spine;
    this.target = target;
    this.proxy = proxy;
    this.compared = new Comparison(figures, seconds);
  }

  /** Both ways that a request can take between hub and agent, the faster one first. */
  void run() throws Exception {
    way = "Stream path";
    rows();
    beside();
    spine.values.put("forward.api", "false");
    spine.writeSettings();
    Await.until("requests go by messages", Duration.ofMinutes(1), this::byMessages);
    way = "JSON path";
    rows();
    spine.values.remove("forward.api");
    spine.writeSettings();
  }

  private boolean byMessages() throws Exception {
    String before = messages();
    spine.get("/api/small");
    return !messages().equals(before);
  }

  private String messages() throws Exception {
    return spine
        .local("/metrics")
        .body()
        .lines()
        .filter(line -> line.startsWith("pipeops_agent_tunnel_requests_total{target=\"api\"}"))
        .findFirst()
        .orElse("");
  }

  private void rows() throws Exception {
    Place through = Place.through(spine);
    Place direct = Place.direct(target);
    Between between = Between.hubAndAgent(spine);
    // The rows are of the steady state; the first one says how it begins.
    compared.first(
        way + ", the first 5 s, 16 callers",
        Load.warmUp(through.getting("/api/small"), 16, compared.warmUpWindows(), between));
    for (int callers : new int[] {1, 16}) {
      compared.rate(
          way + ", 1 KiB, " + Figures.count(callers, "caller"),
          through.getting("/api/small"),
          between,
          direct.getting("/api/small"),
          callers);
    }
    compared.rate(
        way + ", 4 KiB text, 16 callers",
        through.getting("/api/medium"),
        between,
        direct.getting("/api/medium"),
        16);
    compared.warmUp(through.downloading(), between);
    compared.bulk(way + ", 64 MiB down", through.downloading(), between, direct.downloading());
    compared.warmUp(through.uploading(), between);
    compared.bulk(way + ", 64 MiB up", through.uploading(), between, direct.uploading());
  }

  /** A reverse proxy that does nothing else, in the same place. */
  private void beside() throws Exception {
    String what = "HAProxy as HTTP proxy, 1 KiB, 16 callers";
    if (!proxy.there()) {
      figures.skipped(what, HaProxy.MISSING);
      return;
    }
    compared.rate(
        what,
        Place.like(target, proxy.httpPort()).getting("/api/small"),
        proxy.between(),
        Place.direct(target).getting("/api/small"),
        16);
  }
}

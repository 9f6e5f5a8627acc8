package io.pipeops.agent.sandbox;

import io.pipeops.agent.api.metrics.Metrics;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.function.ToDoubleFunction;
import org.apache.felix.hc.api.HealthCheck;
import org.apache.felix.hc.api.Result;
import org.osgi.framework.BundleContext;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.metatype.annotations.Designate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs the embedded Kubernetes API for the life of the feature, and writes the kubeconfig that
 * leads to it. It listens on the loopback address only. What is in it is gone when it stops.
 */
@Component(
    service = HealthCheck.class,
    immediate = true,
    configurationPid = "io.pipeops.agent.sandbox",
    property = {"hc.name=sandbox", "hc.tags=ready", "hc.tags=feature"})
@Designate(ocd = SandboxConfig.class)
public final class SandboxServer implements HealthCheck {
  private static final Logger log = LoggerFactory.getLogger(SandboxServer.class);

  private static final Duration AGAIN = Duration.ofSeconds(5);
  private static final long STOP_MILLIS = 3000;

  private final Path kubeconfig;
  private final int port;
  private final boolean demo;
  private final Thread starter;
  private volatile EmbeddedApi api;
  private volatile String trouble = "it is starting";

  @Activate
  public SandboxServer(
      BundleContext context,
      @Reference(cardinality = ReferenceCardinality.OPTIONAL) Metrics metrics,
      SandboxConfig config) {
    this(file(context, config.kubeconfig_file()), config.port(), config.demo());
    if (metrics != null) {
      metrics.gauge(
          "pipeops_agent_sandbox_watches",
          "Watches open at the embedded Kubernetes API",
          () -> figure(EmbeddedApi::watches));
      metrics.gauge(
          "pipeops_agent_sandbox_objects",
          "Objects in the embedded Kubernetes API",
          () -> figure(embedded -> embedded.store().count()));
    }
  }

  SandboxServer(Path kubeconfig, int port, boolean demo) {
    this.kubeconfig = kubeconfig;
    this.port = port;
    this.demo = demo;
    this.starter = Thread.ofVirtual().name("sandbox-start").start(this::startUntilItWorks);
  }

  private double figure(ToDoubleFunction<EmbeddedApi> of) {
    EmbeddedApi up = api;
    return up == null ? 0 : of.applyAsDouble(up);
  }

  /** On a thread of its own: certificates and the first objects take their time. */
  private void startUntilItWorks() {
    while (api == null) {
      try {
        start();
      } catch (IOException e) {
        trouble = e.getMessage();
        log.warn("Embedded Kubernetes API is not up, next try in {}: {}", AGAIN, trouble);
      }
      if (api == null && !pause()) {
        return;
      }
    }
  }

  private static boolean pause() {
    try {
      Thread.sleep(AGAIN);
      return true;
    } catch (InterruptedException e) {
      return false;
    }
  }

  private void start() throws IOException {
    EmbeddedApi fresh = EmbeddedApi.start(port, demo, InstantSource.system());
    try {
      Kubeconfig.write(kubeconfig, fresh.address(), fresh.caPem(), fresh.token());
    } catch (IOException e) {
      fresh.close();
      throw new IOException("the kubeconfig " + kubeconfig + " cannot be written: " + e, e);
    }
    api = fresh;
    log.info(
        "Embedded Kubernetes API is up: address={} kubeconfig={}", fresh.address(), kubeconfig);
  }

  private static Path file(BundleContext context, String wanted) {
    if (!wanted.isEmpty()) {
      return Path.of(wanted);
    }
    String run = context.getProperty("agent.run.dir");
    return Path.of(run == null ? System.getProperty("java.io.tmpdir") : run)
        .resolve("embedded.kubeconfig");
  }

  /** Waits until it is up. */
  boolean awaitUp(Duration limit) throws InterruptedException {
    return starter.join(limit) && api != null;
  }

  @Override
  public Result execute() {
    EmbeddedApi up = api;
    if (up == null) {
      return new Result(Result.Status.TEMPORARILY_UNAVAILABLE, trouble);
    }
    return up.running()
        ? new Result(Result.Status.OK, "listening on " + up.address())
        : new Result(Result.Status.CRITICAL, "the embedded API does not run");
  }

  @Deactivate
  void stop() {
    starter.interrupt();
    try {
      starter.join(STOP_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    EmbeddedApi up = api;
    if (up == null) {
      return;
    }
    up.close();
    try {
      Files.deleteIfExists(kubeconfig);
    } catch (IOException e) {
      log.warn("Cannot remove the kubeconfig, it leads nowhere now: file={}", kubeconfig);
    }
    log.info("Embedded Kubernetes API is down");
  }
}

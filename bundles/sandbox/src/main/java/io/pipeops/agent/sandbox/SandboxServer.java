package io.pipeops.agent.sandbox;

import io.pipeops.agent.api.metrics.Metrics;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.InstantSource;
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

  private final EmbeddedApi api;
  private final Path kubeconfig;

  @Activate
  public SandboxServer(
      BundleContext context,
      @Reference(cardinality = ReferenceCardinality.OPTIONAL) Metrics metrics,
      SandboxConfig config)
      throws IOException {
    this(file(context, config.kubeconfig_file()), config.port(), config.demo(), metrics);
  }

  SandboxServer(Path kubeconfig, int port, boolean demo, Metrics metrics) throws IOException {
    this.kubeconfig = kubeconfig;
    this.api = EmbeddedApi.start(port, demo, InstantSource.system());
    try {
      Kubeconfig.write(kubeconfig, api.address(), api.caPem(), api.token());
    } catch (IOException e) {
      api.close();
      throw e;
    }
    if (metrics != null) {
      metrics.gauge(
          "pipeops_agent_sandbox_requests",
          "Requests that the embedded Kubernetes API has taken",
          api::served);
      metrics.gauge(
          "pipeops_agent_sandbox_watches", "Watches open at the embedded API", api::watches);
      metrics.gauge(
          "pipeops_agent_sandbox_objects",
          "Objects in the embedded API",
          () -> api.store().count());
    }
    log.info("Embedded Kubernetes API is up: address={} kubeconfig={}", api.address(), kubeconfig);
  }

  private static Path file(BundleContext context, String wanted) {
    if (!wanted.isEmpty()) {
      return Path.of(wanted);
    }
    String run = context.getProperty("agent.run.dir");
    return Path.of(run == null ? System.getProperty("java.io.tmpdir") : run)
        .resolve("embedded.kubeconfig");
  }

  EmbeddedApi api() {
    return api;
  }

  @Override
  public Result execute() {
    return api.running()
        ? new Result(Result.Status.OK, "listening on " + api.address())
        : new Result(Result.Status.CRITICAL, "the embedded API does not run");
  }

  @Deactivate
  void stop() {
    api.close();
    try {
      Files.deleteIfExists(kubeconfig);
    } catch (IOException e) {
      log.warn("Cannot remove the kubeconfig, it leads nowhere now: file={}", kubeconfig);
    }
    log.info("Embedded Kubernetes API is down");
  }
}

package io.pipeops.hub;

import io.pipeops.agent.api.metrics.Metrics;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.felix.hc.api.HealthCheck;
import org.apache.felix.hc.api.Result;
import org.osgi.framework.BundleContext;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.metatype.annotations.Designate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs the hub for as long as its bundle runs. Opening takes a while and may fail for a reason that
 * passes (a database that is not up yet, a port still taken), so it happens on a thread of its own
 * and is tried again until it works; the health check says what is missing meanwhile.
 */
@Component(
    immediate = true,
    configurationPid = "io.pipeops.hub",
    configurationPolicy = ConfigurationPolicy.REQUIRE,
    property = {"hc.name=hub", "hc.tags=ready", "hc.tags=feature"})
@Designate(ocd = HubConfig.class)
public final class Hub implements HealthCheck {
  private static final Logger log = LoggerFactory.getLogger(Hub.class);
  private static final long RETRY_SECONDS = 5;

  private final HubConfig config;
  private final Metrics metrics;
  private final String version;
  private final Path addressFile;
  private final CountDownLatch stopped = new CountDownLatch(1);
  private final Thread opener;
  private RunningHub hub;
  private String reason = "the hub is starting";

  @Activate
  public Hub(BundleContext context, @Reference Metrics metrics, HubConfig config) {
    this(
        config,
        metrics,
        context.getProperty("agent.version"),
        Path.of(context.getProperty("agent.run.dir")));
  }

  Hub(HubConfig config, Metrics metrics, String version, Path runDir) {
    this.config = config;
    this.metrics = metrics;
    this.version = version;
    this.addressFile = runDir.resolve("hub.address");
    this.opener = Thread.ofPlatform().name("hub-start").daemon(true).start(this::open);
  }

  private void open() {
    String told = "";
    while (true) {
      try {
        RunningHub opened = RunningHub.open(config, version, metrics);
        if (!keep(opened)) {
          opened.close();
          return;
        }
        announce(opened);
        return;
      } catch (IOException | RuntimeException e) {
        String text = String.valueOf(e.getMessage());
        if (!text.equals(told)) {
          log.error("The hub cannot start: {}. Tried again every {} s", text, RETRY_SECONDS);
          told = text;
        }
        fail(text);
      }
      try {
        if (stopped.await(RETRY_SECONDS, TimeUnit.SECONDS)) {
          return;
        }
      } catch (InterruptedException e) {
        return;
      }
    }
  }

  private void announce(RunningHub opened) {
    log.info("The hub listens: address={} state={}", opened.address(), config.state_dir());
    try {
      Path next = addressFile.resolveSibling("hub.address.next");
      Files.writeString(next, opened.address() + "\n");
      Files.move(next, addressFile, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      log.warn("The hub's address is not in {}: {}", addressFile, e.toString());
    }
  }

  private synchronized boolean keep(RunningHub opened) {
    if (stopped.getCount() == 0) {
      return false;
    }
    hub = opened;
    reason = "";
    return true;
  }

  private synchronized void fail(String text) {
    reason = text;
  }

  private synchronized RunningHub hub() {
    return hub;
  }

  private synchronized String reason() {
    return reason;
  }

  /** Whether the server listens and the database answers. */
  @Override
  public Result execute() {
    RunningHub running = hub();
    if (running == null) {
      return new Result(Result.Status.TEMPORARILY_UNAVAILABLE, reason());
    }
    try {
      running.check();
      return new Result(Result.Status.OK, "listening on " + running.address());
    } catch (RuntimeException e) {
      return new Result(Result.Status.CRITICAL, String.valueOf(e.getMessage()));
    }
  }

  @Deactivate
  void stop() throws InterruptedException {
    RunningHub running;
    synchronized (this) {
      stopped.countDown();
      running = hub;
      hub = null;
    }
    opener.interrupt();
    // Tables that are being made are finished first.
    opener.join(TimeUnit.SECONDS.toMillis(20));
    if (running != null) {
      running.close();
      log.info("The hub is down");
    }
    try {
      Files.deleteIfExists(addressFile);
    } catch (IOException e) {
      log.debug("{} stays: {}", addressFile, e.toString());
    }
  }
}

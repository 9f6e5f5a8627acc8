package io.pipeops.agent.kubernetes;

import io.pipeops.agent.api.link.Link;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.osgi.service.component.annotations.ReferencePolicyOption;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Has the agent register anew when what it registered with is no longer true: rotated credentials,
 * or another identity found in the cluster. The mounted files are looked at every half minute; a
 * volume has no event that could be waited for.
 */
@Component(
    service = {},
    immediate = true)
public final class CredentialWatch {
  private static final Logger log = LoggerFactory.getLogger(CredentialWatch.class);
  private static final Duration PERIOD = Duration.ofSeconds(30);
  private static final Duration LIMIT = Duration.ofSeconds(10);

  private final ClusterCredentials credentials;
  private final ClusterStateStore store;
  private final Duration period;
  private final Thread thread;
  private Link link;
  private String reason = "";
  private boolean closed;

  @Activate
  public CredentialWatch(
      @Reference ClusterCredentials credentials, @Reference ClusterStateStore store) {
    this(credentials, store, PERIOD);
  }

  CredentialWatch(ClusterCredentials credentials, ClusterStateStore store, Duration period) {
    this.credentials = credentials;
    this.store = store;
    this.period = period;
    store.onIdentityChange(() -> ask("the cluster knows this agent by another id"));
    thread = Thread.ofVirtual().name("kubernetes-credentials").start(this::watch);
  }

  @Reference(
      cardinality = ReferenceCardinality.OPTIONAL,
      policy = ReferencePolicy.DYNAMIC,
      policyOption = ReferencePolicyOption.GREEDY)
  void setLink(Link service) {
    synchronized (this) {
      link = service;
    }
    pass();
  }

  synchronized void unsetLink(Link service) {
    if (link == service) {
      link = null;
    }
  }

  @Deactivate
  void close() {
    store.onIdentityChange(() -> {});
    synchronized (this) {
      closed = true;
      notifyAll();
    }
    thread.interrupt();
  }

  private void watch() {
    try {
      while (true) {
        try {
          if (credentials.refresh(LIMIT)) {
            ask("the credentials for the cluster have changed");
          }
        } catch (RuntimeException e) {
          log.warn("Cannot check the credentials for the cluster; trying again", e);
        }
        synchronized (this) {
          long end = System.nanoTime() + period.toNanos();
          while (!closed && end - System.nanoTime() > 0) {
            TimeUnit.NANOSECONDS.timedWait(this, end - System.nanoTime());
          }
          if (closed) {
            return;
          }
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void ask(String why) {
    synchronized (this) {
      reason = why;
    }
    pass();
  }

  /** A reason that arises before there is a link waits for it. */
  private void pass() {
    Link target;
    String why;
    synchronized (this) {
      if (link == null || reason.isEmpty() || closed) {
        return;
      }
      target = link;
      why = reason;
      reason = "";
    }
    target.register(why);
  }
}

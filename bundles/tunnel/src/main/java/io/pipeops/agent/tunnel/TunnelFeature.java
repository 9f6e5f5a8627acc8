package io.pipeops.agent.tunnel;

import io.pipeops.agent.api.feature.StreamOwner;
import io.pipeops.agent.api.kubernetes.ApiServer;
import io.pipeops.agent.api.link.LinkHandler;
import io.pipeops.agent.api.metrics.Metrics;
import java.time.Duration;
import java.util.Dictionary;
import java.util.Hashtable;
import java.util.List;
import org.apache.felix.hc.api.HealthCheck;
import org.apache.felix.hc.api.Result;
import org.osgi.framework.BundleContext;
import org.osgi.framework.Constants;
import org.osgi.framework.ServiceRegistration;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Modified;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.osgi.service.component.annotations.ReferencePolicyOption;
import org.osgi.service.metatype.annotations.Designate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The feature as one component. Its references are dynamic and its configuration can be changed
 * while it runs, because to rebuild it would cut streams. Of two versions side by side the one that
 * was installed later gets the new streams.
 */
@Component(
    service = {StreamOwner.class, HealthCheck.class},
    immediate = true,
    configurationPid = "io.pipeops.agent.tunnel",
    property = {"hc.name=tunnel", "hc.tags=feature", "hc.tags=ready"})
@Designate(ocd = TunnelConfig.class)
public final class TunnelFeature implements StreamOwner, HealthCheck {
  private static final Logger LOG = LoggerFactory.getLogger(TunnelFeature.class);

  /** How long streams that were cut may take to say so. */
  private static final Duration LAST_WORDS = Duration.ofSeconds(2);

  private final BundleContext context;
  private final Tunnel tunnel;
  private ServiceRegistration<LinkHandler> handler;
  private volatile boolean stopped;

  @Activate
  public TunnelFeature(BundleContext context, TunnelConfig config) {
    this(context, new Tunnel(Settings.of(config), null));
  }

  TunnelFeature(BundleContext context, Tunnel tunnel) {
    this.context = context;
    this.tunnel = tunnel;
  }

  @Reference(
      cardinality = ReferenceCardinality.OPTIONAL,
      policy = ReferencePolicy.DYNAMIC,
      policyOption = ReferencePolicyOption.GREEDY)
  void bindServer(ApiServer server) {
    tunnel.server(server);
  }

  void unbindServer(ApiServer server) {
    if (tunnel.server() == server) {
      tunnel.server(null);
    }
  }

  @Reference(
      cardinality = ReferenceCardinality.OPTIONAL,
      policy = ReferencePolicy.DYNAMIC,
      policyOption = ReferencePolicyOption.GREEDY)
  void bindMetrics(Metrics metrics) {
    tunnel.meters().use(metrics);
  }

  void unbindMetrics(Metrics metrics) {
    tunnel.meters().drop(metrics);
  }

  /** Begins to take messages, once the references that are there have been bound. */
  @Activate
  void start() {
    handler =
        context.registerService(LinkHandler.class, new RequestHandler(tunnel), properties(false));
  }

  @Modified
  void modified(TunnelConfig config) {
    tunnel.settings(Settings.of(config));
  }

  private Dictionary<String, Object> properties(boolean draining) {
    Dictionary<String, Object> properties = new Hashtable<>();
    properties.put(LinkHandler.TYPES, RequestHandler.TYPES_HANDLED.clone());
    properties.put(LinkHandler.DRAINING, draining);
    // Bundle ids only grow, so a newer version wins over one that is still there.
    long id = context.getBundle().getBundleId();
    properties.put(Constants.SERVICE_RANKING, (int) Math.min(id, Integer.MAX_VALUE));
    return properties;
  }

  @Override
  public int openStreams() {
    return tunnel.streams().open();
  }

  @Override
  public void drain(boolean draining) {
    handler.setProperties(properties(draining));
  }

  @Override
  public Result execute() {
    if (stopped) {
      return new Result(Result.Status.CRITICAL, "stopped");
    }
    return tunnel.server() == null
        ? new Result(Result.Status.TEMPORARILY_UNAVAILABLE, "API server not known yet")
        : new Result(Result.Status.OK, openStreams() + " streams open");
  }

  @Deactivate
  void stop() {
    stopped = true;
    handler.unregister();
    Streams streams = tunnel.streams();
    streams.refuse();
    try {
      Duration limit = tunnel.settings().drain();
      if (!streams.awaitIdle(limit)) {
        List<Streams.Stream> late = streams.all();
        LOG.warn("Cut {} streams after {} s", late.size(), limit.toSeconds());
        late.forEach(stream -> stream.stop(Failure.stopped()));
        if (!streams.awaitIdle(LAST_WORDS)) {
          streams.all().forEach(stream -> stream.thread().interrupt());
        }
      }
    } catch (InterruptedException e) {
      streams.all().forEach(stream -> stream.thread().interrupt());
      Thread.currentThread().interrupt();
    } finally {
      tunnel.close();
    }
  }
}

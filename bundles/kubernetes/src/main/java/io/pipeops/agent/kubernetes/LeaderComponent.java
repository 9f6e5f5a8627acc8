package io.pipeops.agent.kubernetes;

import io.pipeops.agent.api.feature.Conditions;
import io.pipeops.agent.api.kubernetes.Leadership;
import io.pipeops.agent.api.metrics.Metrics;
import java.util.Dictionary;
import java.util.Hashtable;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.felix.hc.api.HealthCheck;
import org.apache.felix.hc.api.Result;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceRegistration;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Modified;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.condition.Condition;
import org.osgi.service.metatype.annotations.Designate;

/**
 * Publishes the lead as {@link Leadership} and as the condition {@code agent.leader}, and that
 * another replica has it as {@code agent.standby}. Where nobody elects, outside of a pod or by
 * setting, this replica leads from the start.
 */
@Component(
    service = HealthCheck.class,
    immediate = true,
    configurationPid = "io.pipeops.agent.leader",
    configurationPolicy = ConfigurationPolicy.REQUIRE,
    property = {"hc.name=leader", "hc.tags=ready"})
@Designate(ocd = LeaderConfig.class)
public final class LeaderComponent implements HealthCheck {
  private final BundleContext context;
  private final Runnable readAgain;
  private final ClusterAccess access;
  private final String identity;
  private final Counters counters;
  private volatile LeaderElection election;
  private String how;
  private ServiceRegistration<?> published;
  private ServiceRegistration<?> condition;
  private ServiceRegistration<?> standby;

  @Activate
  public LeaderComponent(
      BundleContext context,
      LeaderConfig config,
      @Reference ClusterAccess access,
      @Reference ClusterStateStore store,
      @Reference Metrics metrics) {
    this(context, config, access, store::readAgain, metrics, identity(System.getenv()));
  }

  LeaderComponent(
      BundleContext context,
      LeaderConfig config,
      ClusterAccess access,
      Runnable readAgain,
      Metrics metrics,
      String identity) {
    this.context = context;
    this.readAgain = readAgain;
    this.access = access;
    this.identity = identity;
    this.counters = new Counters(metrics);
    metrics.gauge("pipeops_agent_leader", "1 if this replica leads", () -> leads() ? 1 : 0);
    begin(config);
  }

  private void begin(LeaderConfig config) {
    how = config.election() + " " + config.lease_name();
    if (elects(config)) {
      LeaderElection begun =
          new LeaderElection(access, LeaseSettings.of(config), identity, new Registry(), counters);
      election = begun;
      begun.start();
    } else {
      election = null;
      publish(Lead.sole());
    }
  }

  private boolean elects(LeaderConfig config) {
    return switch (config.election()) {
      case "always" -> true;
      case "never" -> false;
      default -> access.inPod();
    };
  }

  /** Another pace is taken over as it is; another way of electing begins anew. */
  @Modified
  void modified(LeaderConfig config) {
    LeaderElection present = election;
    if (!how.equals(config.election() + " " + config.lease_name())) {
      close();
      begin(config);
    } else if (present != null) {
      present.apply(LeaseSettings.of(config));
    }
  }

  /**
   * A pod keeps its name when its container is started again, so that it need not wait for its own
   * lease; without one, each process is another candidate.
   */
  static String identity(Map<String, String> environment) {
    String pod = environment.getOrDefault("POD_NAME", "").trim();
    return pod.isEmpty()
        ? AgentIdentity.hostName()
            + "_"
            + Integer.toHexString(ThreadLocalRandom.current().nextInt(0x10000000, 0x7fffffff))
        : pod;
  }

  private boolean leads() {
    LeaderElection present = election;
    return present == null || present.leads();
  }

  @Override
  public Result execute() {
    LeaderElection present = election;
    if (present == null) {
      return new Result(Result.Status.OK, "leads without an election");
    }
    String problem = present.problem();
    if (present.leads()) {
      return problem.isEmpty()
          ? new Result(Result.Status.OK, "leads")
          : new Result(Result.Status.WARN, "leads, but: " + problem);
    }
    String other = present.follows();
    return other.isEmpty()
        ? new Result(
            Result.Status.TEMPORARILY_UNAVAILABLE,
            problem.isEmpty() ? "nobody is known to lead" : problem)
        : new Result(Result.Status.OK, "stands by, replica " + other + " leads");
  }

  @Deactivate
  void close() {
    LeaderElection present = election;
    if (present == null) {
      withdraw();
    } else {
      present.close();
      standBy(false);
    }
  }

  private synchronized void publish(Lead lead) {
    Dictionary<String, Object> leadership = properties(lead);
    published = context.registerService(Leadership.class, lead, leadership);
    condition = condition(Conditions.AGENT_LEADER);
  }

  private ServiceRegistration<?> condition(String id) {
    Dictionary<String, Object> properties = new Hashtable<>();
    properties.put(Condition.CONDITION_ID, id);
    return context.registerService(Condition.class, Condition.INSTANCE, properties);
  }

  private synchronized void standBy(boolean other) {
    if (other && standby == null) {
      standby = condition(Conditions.AGENT_STANDBY);
    } else if (!other && standby != null) {
      standby.unregister();
      standby = null;
    }
  }

  private static Dictionary<String, Object> properties(Lead lead) {
    Dictionary<String, Object> properties = new Hashtable<>();
    properties.put("leader.lease", lead.lease());
    properties.put("leader.term", lead.term());
    return properties;
  }

  /** First those who act as the leader, then the connection. */
  private synchronized void withdraw() {
    if (condition != null) {
      condition.unregister();
      condition = null;
    }
    if (published != null) {
      published.unregister();
      published = null;
    }
  }

  private final class Registry implements LeaderElection.Office {
    @Override
    public void begin(Lead lead, boolean stoodBy) {
      if (stoodBy) {
        // The leader before has written since: what it registered is what this replica goes on
        // with.
        readAgain.run();
      }
      publish(lead);
    }

    @Override
    public void changed(Lead lead) {
      synchronized (LeaderComponent.this) {
        if (published != null) {
          published.setProperties(properties(lead));
        }
      }
    }

    @Override
    public void end(Lead lead) {
      withdraw();
    }

    @Override
    public void standBy(boolean other) {
      LeaderComponent.this.standBy(other);
    }
  }

  private static final class Counters implements LeaderElection.Tally {
    private final Metrics.Counter gained;
    private final Metrics.Counter lost;
    private final Metrics.Counter renewed;
    private final Metrics.Counter failed;

    Counters(Metrics metrics) {
      String changes = "pipeops_agent_leader_transitions_total";
      String help = "How often this replica began and ceased to lead";
      gained = metrics.counter(changes, help, "change", "gained");
      lost = metrics.counter(changes, help, "change", "lost");
      String renewals = "pipeops_agent_lease_renewals_total";
      String text = "Renewals of the lease by this replica";
      renewed = metrics.counter(renewals, text, "outcome", "done");
      failed = metrics.counter(renewals, text, "outcome", "failed");
    }

    @Override
    public void gained() {
      gained.increment();
    }

    @Override
    public void lost() {
      lost.increment();
    }

    @Override
    public void renewed(boolean done) {
      (done ? renewed : failed).increment();
    }
  }
}

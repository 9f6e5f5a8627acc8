package io.pipeops.agent.metrics;

import com.codahale.metrics.Metric;
import com.codahale.metrics.MetricRegistry;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.osgi.service.component.annotations.Component;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The one Dropwizard registry, and which series its metrics belong to. A series may have several
 * metrics, one for each bundle that registered it; an owner's metrics leave together. Safe for all
 * threads.
 */
@Component(service = SeriesRegistry.class)
public final class SeriesRegistry {
  private static final Logger log = LoggerFactory.getLogger(SeriesRegistry.class);

  /** A label with values of a peer's choice would otherwise fill the memory. */
  private static final int MAX_SERIES = 500;

  private static final class Family {
    final String help;
    final Kind kind;
    boolean full;

    /** Labels, to owner, to the metric's key in the registry. */
    final SortedMap<String, Map<Long, String>> series = new TreeMap<>();

    Family(String help, Kind kind) {
      this.help = help;
      this.kind = kind;
    }
  }

  /**
   * A metric as it is shown.
   *
   * @param series labels and the metrics of all owners
   */
  record Shown(String name, String help, Kind kind, SortedMap<String, List<Metric>> series) {}

  private final MetricRegistry registry = new MetricRegistry();
  private final SortedMap<String, Family> families = new TreeMap<>();

  /**
   * Adds a metric, or returns the one that the owner has under this series already.
   *
   * @param replace whether to take the new one instead of that
   */
  synchronized <M extends Metric> M add(
      long owner, Kind kind, Series series, String help, boolean replace, Supplier<M> made) {
    Family family = families.computeIfAbsent(series.name(), name -> new Family(help, kind));
    if (family.kind != kind) {
      log.warn(
          "Metric name={} is not shown as {}: another bundle has it as {}",
          series.name(),
          kind.text(),
          family.kind.text());
      return made.get();
    }
    Map<Long, String> owners = family.series.get(series.labels());
    if (owners == null) {
      if (family.series.size() >= MAX_SERIES) {
        if (!family.full) {
          family.full = true;
          log.warn("Metric name={} has too many labels; the rest is not shown", series.name());
        }
        return made.get();
      }
      owners = new LinkedHashMap<>();
      family.series.put(series.labels(), owners);
    }
    String key = owner + ":" + series.name() + "{" + series.labels() + "}";
    if (owners.put(owner, key) != null && !replace) {
      @SuppressWarnings("unchecked")
      M present = (M) registry.getMetrics().get(key);
      return present;
    }
    M metric = made.get();
    registry.remove(key);
    return registry.register(key, metric);
  }

  /** Forgets everything that the owner added. */
  synchronized void removeAll(long owner) {
    families
        .values()
        .removeIf(
            family -> {
              family
                  .series
                  .values()
                  .removeIf(
                      owners -> {
                        String key = owners.remove(owner);
                        if (key != null) {
                          registry.remove(key);
                        }
                        return owners.isEmpty();
                      });
              return family.series.isEmpty();
            });
  }

  /** What there is now, sorted by name and labels. */
  synchronized List<Shown> shown() {
    Map<String, Metric> metrics = registry.getMetrics();
    List<Shown> shown = new ArrayList<>(families.size());
    families.forEach(
        (name, family) -> {
          SortedMap<String, List<Metric>> series = new TreeMap<>();
          family.series.forEach(
              (labels, owners) ->
                  series.put(labels, owners.values().stream().map(metrics::get).toList()));
          shown.add(new Shown(name, family.help, family.kind, series));
        });
    return shown;
  }

  /** For tests: how many metrics the registry holds. */
  int size() {
    return registry.getMetrics().size();
  }
}

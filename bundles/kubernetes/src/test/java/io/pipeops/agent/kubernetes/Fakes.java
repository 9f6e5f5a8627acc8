package io.pipeops.agent.kubernetes;

import io.pipeops.agent.api.metrics.Metrics;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.function.DoubleSupplier;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceRegistration;

/** Stand-ins for what the framework gives. */
final class Fakes {
  private Fakes() {}

  /** Settings with these values, else their defaults. */
  static KubernetesConfig config(Map<String, String> values) {
    return config(KubernetesConfig.class, values);
  }

  static <T> T config(Class<T> type, Map<String, String> values) {
    return type.cast(
        Proxy.newProxyInstance(
            Fakes.class.getClassLoader(),
            new Class<?>[] {type},
            (proxy, method, arguments) -> {
              String value = values.get(method.getName());
              if (value == null) {
                return method.getDefaultValue();
              }
              return method.getReturnType() == int.class ? Integer.valueOf(value) : value;
            }));
  }

  /** A bundle context that remembers which services are registered. */
  static final class Context {
    final List<Object> services = Collections.synchronizedList(new ArrayList<>());
    final BundleContext context =
        (BundleContext)
            Proxy.newProxyInstance(
                Fakes.class.getClassLoader(),
                new Class<?>[] {BundleContext.class},
                (proxy, method, arguments) ->
                    method.getName().equals("registerService") ? register(arguments[1]) : null);

    private ServiceRegistration<?> register(Object service) {
      services.add(service);
      return (ServiceRegistration<?>)
          Proxy.newProxyInstance(
              Fakes.class.getClassLoader(),
              new Class<?>[] {ServiceRegistration.class},
              (proxy, method, arguments) -> {
                if (method.getName().equals("unregister")) {
                  services.remove(service);
                }
                return null;
              });
    }

    boolean has(Class<?> type) {
      return List.copyOf(services).stream().anyMatch(type::isInstance);
    }
  }

  /** Metrics that count for nobody. */
  static class NoMetrics implements Metrics {
    @Override
    public Counter counter(String name, String help, String... labels) {
      return amount -> {};
    }

    @Override
    public void gauge(String name, String help, DoubleSupplier value, String... labels) {}

    @Override
    public Distribution distribution(String name, String help, String... labels) {
      return value -> {};
    }
  }
}

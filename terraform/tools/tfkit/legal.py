"""What the real provider or the service would refuse, and terraform core does not.

Two rules: a read-only attribute may not be set, and an attribute that the service limits to a
list takes a value of that list. The lists come from botocore's service models (`collect`), so
they are AWS's own; three that are not enums there are written out below with their source.
"""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Iterator

# attribute path -> (botocore service, shape)
SHAPES = {
    "aws_appautoscaling_policy.policy_type": ("application-autoscaling", "PolicyType"),
    "aws_appautoscaling_target.scalable_dimension":
        ("application-autoscaling", "ScalableDimension"),
    "aws_appautoscaling_target.service_namespace": ("application-autoscaling", "ServiceNamespace"),
    "aws_budgets_budget.budget_type": ("budgets", "BudgetType"),
    "aws_budgets_budget.notification.comparison_operator": ("budgets", "ComparisonOperator"),
    "aws_budgets_budget.notification.notification_type": ("budgets", "NotificationType"),
    "aws_budgets_budget.notification.threshold_type": ("budgets", "ThresholdType"),
    "aws_budgets_budget.time_unit": ("budgets", "TimeUnit"),
    "aws_cloudfront_distribution.default_cache_behavior.viewer_protocol_policy":
        ("cloudfront", "ViewerProtocolPolicy"),
    "aws_cloudfront_distribution.price_class": ("cloudfront", "PriceClass"),
    "aws_cloudfront_distribution.viewer_certificate.minimum_protocol_version":
        ("cloudfront", "MinimumProtocolVersion"),
    "aws_cloudwatch_metric_alarm.comparison_operator": ("cloudwatch", "ComparisonOperator"),
    "aws_cloudwatch_metric_alarm.statistic": ("cloudwatch", "Statistic"),
    "aws_ecr_repository.image_tag_mutability": ("ecr", "ImageTagMutability"),
    "aws_eks_addon.resolve_conflicts_on_create": ("eks", "ResolveConflicts"),
    "aws_eks_addon.resolve_conflicts_on_update": ("eks", "ResolveConflicts"),
    "aws_eks_cluster.access_config.authentication_mode": ("eks", "AuthenticationMode"),
    "aws_eks_cluster.enabled_cluster_log_types": ("eks", "LogType"),
    "aws_eks_cluster.upgrade_policy.support_type": ("eks", "SupportType"),
    "aws_eks_node_group.ami_type": ("eks", "AMITypes"),
    "aws_eks_node_group.capacity_type": ("eks", "CapacityTypes"),
    "aws_eks_node_group.instance_types": ("ec2", "InstanceType"),
    "aws_eks_node_group.taint.effect": ("eks", "TaintEffect"),
    "aws_elasticache_replication_group.log_delivery_configuration.destination_type":
        ("elasticache", "DestinationType"),
    "aws_elasticache_replication_group.log_delivery_configuration.log_format":
        ("elasticache", "LogFormat"),
    "aws_elasticache_replication_group.log_delivery_configuration.log_type":
        ("elasticache", "LogType"),
    "aws_flow_log.traffic_type": ("ec2", "TrafficType"),
    "aws_kms_key.customer_master_key_spec": ("kms", "CustomerMasterKeySpec"),
    "aws_kms_key.key_usage": ("kms", "KeyUsageType"),
    "aws_lb_listener.protocol": ("elbv2", "ProtocolEnum"),
    "aws_lb_target_group.protocol": ("elbv2", "ProtocolEnum"),
    "aws_lb_target_group.target_type": ("elbv2", "TargetTypeEnum"),
    "aws_msk_cluster.encryption_info.encryption_in_transit.client_broker":
        ("kafka", "ClientBroker"),
    "aws_msk_cluster.enhanced_monitoring": ("kafka", "EnhancedMonitoring"),
    "aws_msk_cluster.storage_mode": ("kafka", "StorageMode"),
    "aws_s3_bucket_lifecycle_configuration.rule.transition.storage_class":
        ("s3", "TransitionStorageClass"),
    "aws_s3_bucket_ownership_controls.rule.object_ownership": ("s3", "ObjectOwnership"),
    "aws_vpc_endpoint.vpc_endpoint_type": ("ec2", "VpcEndpointType"),
    "aws_wafv2_web_acl.scope": ("wafv2", "Scope"),
}
# Not enums in botocore; the lists that the services document.
LISTS: dict[str, list] = {
    "aws_cloudwatch_log_group.retention_in_days": [
        0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557,
        2922, 3288, 3653],
    "aws_db_instance.monitoring_interval": [0, 1, 5, 10, 15, 30, 60],
    "aws_msk_cluster.broker_node_group_info.instance_type": [
        "kafka.t3.small", *(f"kafka.{family}.{size}" for family in ("m5", "m7g", "express.m7g")
                            for size in ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge",
                                         "12xlarge", "16xlarge", "24xlarge"))],
}
_lists: dict[str, list] = {}


def collect() -> dict[str, list]:
    """Every list of SHAPES, read from botocore's models, and the ones written out above."""
    from botocore.loaders import Loader
    loader, models, out = Loader(), {}, dict(LISTS)
    for path, (service, shape) in SHAPES.items():
        if service not in models:
            models[service] = loader.load_service_model(service, "service-2")["shapes"]
        out[path] = models[service][shape]["enum"]
    return out


def lists() -> dict[str, list]:
    """The lists, from the file TFKIT_LEGAL names (collected beforehand), else from botocore."""
    if not _lists:
        cached = pathlib.Path(os.environ.get("TFKIT_LEGAL", ""))
        _lists.update(json.loads(cached.read_text()) if cached.is_file() else collect())
    return _lists


def refusals(rtype: str, config: object, block: dict) -> Iterator[tuple[list, str, str]]:
    """(path, summary, detail) of every value in a resource's configuration that is not legal."""
    yield from _walk(rtype, config, block, [])


def _walk(prefix: str, value: object, block: dict, path: list) -> Iterator[tuple[list, str, str]]:
    if not isinstance(value, dict):
        return
    for name, attribute in block["attributes"].items():
        given = value.get(name)
        settable = attribute.get("optional") or attribute.get("required")
        if given is not None and attribute.get("computed") and not settable:
            yield ([*path, name], "Value for unconfigurable attribute",
                   f'Can\'t configure a value for "{name}": its value is decided by the provider.')
        allowed = lists().get(f"{prefix}.{name}")
        for one in (given if isinstance(given, list) else [given]) if allowed else []:
            if isinstance(one, str | int | float) and one not in allowed:
                shown = ", ".join(map(str, allowed[:30])) + (", ..." if len(allowed) > 30 else "")
                yield ([*path, name], f'Illegal value for "{name}"',
                       f'expected {name} to be one of [{shown}], got {one}')
    for name, nested in block["block_types"].items():
        given, inner = value.get(name), nested["block"]
        if nested["nesting_mode"] in ("single", "group"):
            yield from _walk(f"{prefix}.{name}", given, inner, [*path, name])
        elif isinstance(given, list):
            for i, one in enumerate(given):
                step = [i] if nested["nesting_mode"] == "list" else []
                yield from _walk(f"{prefix}.{name}", one, inner, [*path, name, *step])


def main() -> None:
    print(json.dumps(collect()))


if __name__ == "__main__":
    main()

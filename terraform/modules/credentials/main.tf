# What the application signs with and logs in with. Two generations exist at a time: what was made
# before stays good until the next one, so that pods that still hold it lose nothing while others
# get the new. Nothing of it enters a plan or the state.

locals {
  generations = [var.generation - 1, var.generation]
  purposes    = ["django", "documentdb", "postgres"]
  made = { for pair in setproduct(local.generations, local.purposes) :
  "${pair[1]}-${pair[0]}" => { purpose = pair[1], generation = pair[0] } }
  # Two users take turns in each store: a new password is never given to the one in use.
  users = { for g in local.generations : tostring(g) => g % 2 == 0 ? "oms_b" : "oms_a" }
}

ephemeral "aws_secretsmanager_random_password" "this" {
  for_each = toset(concat(keys(local.made), [for g in local.generations : "jwt-${g}"]))

  password_length     = 64
  exclude_punctuation = true # they travel inside URLs and environment variables
}

resource "aws_secretsmanager_secret" "this" {
  for_each = local.made

  #checkov:skip=CKV2_AWS_57:Rotation is raising the generation: two users take turns, so that no rotation function is needed and no pod is caught between.
  name                    = "${var.name}/${each.key}"
  description             = each.value.purpose == "django" ? "Keys that sign sessions and tokens" : "User ${local.users[each.value.generation]} of ${each.value.purpose}"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = 7
}

resource "aws_secretsmanager_secret_version" "this" {
  for_each = local.made

  secret_id = aws_secretsmanager_secret.this[each.key].id
  secret_string_wo = each.value.purpose == "django" ? jsonencode({
    OMS_SECRET_KEY = ephemeral.aws_secretsmanager_random_password.this[each.key].random_password
    OMS_JWT_KEY    = ephemeral.aws_secretsmanager_random_password.this["jwt-${each.value.generation}"].random_password
    }) : jsonencode({
    username = local.users[each.value.generation]
    password = ephemeral.aws_secretsmanager_random_password.this[each.key].random_password
  })
  # A generation is written once: a plan that finds it there leaves it alone.
  secret_string_wo_version = 1
}

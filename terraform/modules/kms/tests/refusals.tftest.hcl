# Every variable with a legal range refuses what is outside it, at plan time.

variables {
  name = "oms-test"
  keys = { kafka = { description = "Order log", via = ["kafka"] } }
}

run "refuses_a_name_with_capitals" {
  command = plan
  variables {
    name = "OMS_Prod"
  }
  expect_failures = [var.name]
}

run "refuses_a_key_for_nobody" {
  command = plan
  variables {
    keys = { idle = { description = "x" } }
  }
  expect_failures = [var.keys]
}

run "refuses_a_full_service_name" {
  command = plan
  variables {
    keys = { kafka = { description = "x", via = ["kafka.us-east-1.amazonaws.com"] } }
  }
  expect_failures = [var.keys]
}

run "refuses_a_service_without_a_condition" {
  command = plan
  variables {
    keys = { x = { description = "x", services = ["lambda"] } }
  }
  expect_failures = [var.keys]
}

run "refuses_a_key_for_everybody" {
  command = plan
  variables {
    keys = { x = { description = "x", roles = ["*"] } }
  }
  expect_failures = [var.keys]
}

run "refuses_a_key_deleted_in_a_week" {
  command = plan
  variables {
    deletion_window_days = 7
  }
  expect_failures = [var.deletion_window_days]
}

run "refuses_a_key_that_turns_too_late" {
  command = plan
  variables {
    rotation_days = 2560
  }
  expect_failures = [var.rotation_days]
}

"""A small job and platform in DS3's formats."""

JOB = """# a comment
job_name Demo
add_new_tasks 3
first 0
first HEAD
first earliest_start 0 deadline 2 input_vol 0 output_vol 0
second 1 0
third 2 0 1
third TAIL
comm_vol 0 1 18
comm_vol 0 2 12
comm_vol 1 2 7
"""
SOC = """
add_new_resource resource_type CPU resource_name P1 resource_ID 0 capacity 2 num_supported_functionalities 3 DVFS_mode performance
opp 1000 900
trip_freq -1 -1 -1
power_profile 1000 0.1 0.2
first 14
second 13
third 11
add_new_resource resource_type ACC resource_name P2 resource_ID 1 capacity 1 num_supported_functionalities 1 DVFS_mode none
second 3
add_new_resource resource_type MEM resource_name M1 resource_ID 2 capacity 1 num_supported_functionalities 1 DVFS_mode none
None 0
comm_band_self 10000
comm_band 0 2 2
comm_band 1 2 4
"""

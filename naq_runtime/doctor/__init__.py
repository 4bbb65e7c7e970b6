"""What is wrong with a namespace, what that means, and how to mend it.

What stands is asked for once (`naq_runtime.doctor.asking`) and judged by checks that are functions of values.
"""
